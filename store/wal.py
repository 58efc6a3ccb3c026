"""Reading SQLite's write-ahead log ourselves, to say what SQLite passes over in silence.

After a crash SQLite takes the log up to its first frame with a wrong checksum, and what lies behind it is gone without
a word. At a power cut that is right: what lies behind was never committed. When a synced frame went bad afterwards it
is a loss, which can be told: behind the bad frame there are commits of the same generation of the log.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # the byte order of the checksums
_HEADER, _FRAME = 32, 24


@dataclass(frozen=True, slots=True)
class Loss:
    """Commits that were written and cannot be read any more."""

    frame: int  # the first bad one, from 1; 0: the log's header
    commits: int  # behind it


def lost(path: Path) -> Loss | None:
    """What a log has lost; None if all of it is good, or its end is what a crash leaves.

    Raises:
        OSError: It cannot be read.
    """
    try:
        log = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(log) < _HEADER + _FRAME:
        return None
    magic, _, page_size = struct.unpack_from(">3I", log)
    order = _MAGIC.get(magic)
    size = _FRAME + page_size
    good, salts = 0, log[16:24]
    if order is None or _checksum(order, log[:24], (0, 0)) != struct.unpack_from(">2I", log, 24):
        if not 512 <= page_size <= 65536 or page_size & (page_size - 1):
            size = _FRAME + 4096
        salts = log[_HEADER + 8 : _HEADER + 16]
        bad = 0
    else:
        good = _good(log, order, size)
        bad = good + 1
    behind = range(_HEADER + good * size, len(log) - size + 1, size)
    # A frame that ends a transaction says how many pages the database has then; a frame of an older generation, from
    # before the log was last begun anew, has other salts.
    commits = sum(
        1 for at in behind if log[at + 8 : at + 16] == salts and struct.unpack_from(">I", log, at + 4)[0] != 0
    )
    return Loss(bad, commits) if commits else None


def _good(log: bytes, order: str, size: int) -> int:
    """How many frames from the first one on have the checksum that they should."""
    running = struct.unpack_from(">2I", log, 24)
    for number, at in enumerate(range(_HEADER, len(log) - size + 1, size)):
        if log[at + 8 : at + 16] != log[16:24]:
            return number
        running = _checksum(order, log[at : at + 8], running)
        running = _checksum(order, log[at + _FRAME : at + size], running)
        if running != struct.unpack_from(">2I", log, at + 16):
            return number
    return (len(log) - _HEADER) // size


def _checksum(order: str, data: bytes, start: tuple[int, ...]) -> tuple[int, int]:
    first, second = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
