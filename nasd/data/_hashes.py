"""Hashes of files, remembered in the user's cache folder for as long as a file's size and times stay the same."""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import platformdirs

_BLOCK = 1 << 20
_SETTLED = 2.0  # seconds after which a change must show in a file's times; a younger file's hash is not remembered
_TOGETHER = 256  # files that a thread takes at a time
_LOOK = 8  # threads that look at files: waiting for a disk, or for a server, more than working


def of_files(paths: Sequence[Path], about: Path) -> list[tuple[int, str]]:
    """Size and SHA-256 of each file, in order.

    Args:
        paths: Of one data set.
        about: The data set's folder, by which the cache is found.

    Raises:
        OSError: A file cannot be read.
    """
    remembered = _Cache(about)

    def look(path: Path) -> tuple[int, str]:
        status = path.stat()
        known = remembered.get(str(path), status)
        if known is None:
            known = _digest(path, status.st_size)
            remembered.put(str(path), status, known)
        return status.st_size, known

    parts = [paths[start : start + _TOGETHER] for start in range(0, len(paths), _TOGETHER)]
    with ThreadPoolExecutor(_LOOK, "hashes") as threads:
        found = [one for part in threads.map(lambda part: [look(path) for path in part], parts) for one in part]
    remembered.save()
    return found


def remembered_of(paths: Iterable[Path], about: Path, work_out: Callable[[], Any]) -> Any:
    """What `work_out` made of these files (JSON), from the cache if none of them changed since.

    Raises:
        OSError: A file is not there.
    """
    remembered, statuses = _Cache(about), [(str(path), path.stat()) for path in paths]
    marks = [[path, *_mark(status)] for path, status in statuses]
    key = "of " + hashlib.sha256(json.dumps([path for path, _ in statuses]).encode()).hexdigest()
    known = remembered.entries.get(key)
    if isinstance(known, dict) and known.get("marks") == marks:
        return known.get("value")
    value = work_out()
    if all(_is_settled(status) for _, status in statuses):
        remembered.entries[key] = {"marks": marks, "value": value}
        remembered.changed = True
        remembered.save()
    return value


def _digest(path: Path, size: int) -> str:
    with path.open("rb", buffering=0) as file:
        if size <= _BLOCK:  # most images; a buffer for each would take longer than the reading
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256", _bufsize=_BLOCK).hexdigest()


class _Cache:
    """One file a data set. Read and written whole: of two writers the later one wins, and both are right."""

    def __init__(self, about: Path) -> None:
        named = hashlib.sha256(os.fsencode(about.absolute())).hexdigest()[:32]
        self._file = Path(platformdirs.user_cache_dir("nasd")) / "fingerprints" / f"{named}.json"
        self.changed = False
        self.entries: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, RecursionError):  # none yet, or one that somebody broke
            found = json.loads(self._file.read_bytes())
            self.entries = found if isinstance(found, dict) else {}

    def get(self, path: str, status: os.stat_result) -> str | None:
        known = self.entries.get(path)
        if isinstance(known, list) and len(known) == 5 and known[:4] == _mark(status) and isinstance(known[4], str):
            return known[4]
        return None

    def put(self, path: str, status: os.stat_result, digest: str) -> None:
        if _is_settled(status):
            self.entries[path] = [*_mark(status), digest]
            self.changed = True

    def save(self) -> None:
        if not self.changed:
            return
        with contextlib.suppress(OSError):  # a home that is full or read-only: it is hashed again next time
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._file.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(self.entries, file)
                Path(name).replace(self._file)
            finally:
                Path(name).unlink(missing_ok=True)


def _mark(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _is_settled(status: os.stat_result) -> bool:
    return max(status.st_mtime, status.st_ctime) < time.time() - _SETTLED
