"""A JSON lines file that other people's tools read: whole lines, rotated by size, gone on with after a kill."""

import errno
import os
import time
from pathlib import Path
from typing import Any

import msgspec

_BLOCK = 1 << 16  # bytes read at a time from a file's end


class EventFile:
    """`events.jsonl`, and its older parts `events.jsonl.1`, `.2`, ..., the higher the older.

    Each event has an `order`, which grows by one. A kill leaves at most a torn last line, which `last_order` cuts off.

    Args:
        path: Of the newest part.
        max_bytes: Before a part would grow beyond it, a new one is begun.
        keep: Older parts that are kept.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self.path, self._max_bytes, self._keep = path, max_bytes, keep

    def last_order(self, highest: int) -> int:
        """The order of the last event that is written, 0 if there is none.

        Args:
            highest: A part that knows of a higher order belongs to another life of the run, and is moved aside.

        Raises:
            OSError: The disk refused.
        """
        self.path.parent.mkdir(exist_ok=True)
        for part in (self.path, *(self._part(number) for number in range(1, self._keep + 1))):
            if not part.is_file():
                continue
            line = _last_line(part)
            if line is None:
                continue
            order = _order(line)
            if order is not None and order <= highest:
                return order
            part.replace(_free(self.path))
        return 0

    def append(self, event: dict[str, Any]) -> None:
        """Write one event, in one call. Raises OSError; `last_order` then has to be asked again."""
        line = msgspec.json.encode(event) + b"\n"
        # Opened each time: somebody may have moved or removed it.
        with self.path.open("ab", buffering=0) as file:
            size = file.tell()
            if not size or size + len(line) <= self._max_bytes:
                _write(file.fileno(), line)
                return
        self._rotate()
        with self.path.open("ab", buffering=0) as file:
            _write(file.fileno(), line)

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            newer = self.path if number == 1 else self._part(number - 1)
            if newer.exists():
                newer.replace(self._part(number))
        if not self._keep:
            self.path.unlink()

    def _part(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _write(file: int, line: bytes) -> None:
    if os.write(file, line) < len(line):  # a disk that is nearly full takes a part without an error
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _last_line(path: Path) -> bytes | None:
    """The last whole line; what follows it, of a write that was cut short, is cut off. None: there is none."""
    with path.open("r+b") as file:
        start = size = file.seek(0, os.SEEK_END)
        tail = b""
        while start and tail.count(b"\n") < 2:
            start = max(start - _BLOCK, 0)
            file.seek(start)
            tail = file.read(size - start)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(start + whole)
        lines = tail[:whole].splitlines()
    return lines[-1] if lines else None


def _order(line: bytes) -> int | None:
    """None: it is no event of ours."""
    try:
        return int(msgspec.json.decode(line)["order"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None


def _free(path: Path) -> Path:
    """Where a part of another life goes."""
    number = int(time.time())
    while (aside := path.with_suffix(f".{number}{path.suffix}")).exists():
        number += 1
    return aside
