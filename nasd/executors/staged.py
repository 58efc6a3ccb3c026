"""A file that a worker left, once it lies on the daemon's box."""

import contextlib
from pathlib import Path

from store import files


class Staged:
    """A file or folder in the run's own staging folder (`nasd.evaluators.base.File`)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def fetch(self) -> Path:
        """It is there already."""
        return self._path

    async def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            files.remove(self._path)
