"""The files of a run that what was learned refers to: the weights of a supernet, a fitted surrogate."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from store import files
from store.errors import DamagedError, StoreError, disk_errors
from store.records import LearnedFile

FOLDER = "learned"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")


class LearnedFiles:
    """The folder `learned/` of a run. What changes it needs a run that is open for writing.

    A file is staged under a name of `files.temporary_beside`, adopted, and then named by the commit of what refers to
    it (`Learned.files`). A file that no commit names is removed when the run is opened for writing.

    Attributes:
        folder: Where the files lie, and where those to be adopted are best staged.
    """

    def __init__(self, folder: Path, referred_to: Callable[[], Mapping[str, str]], *, writable: bool) -> None:
        """Args: `referred_to` gives the SHA-256 of every file that was committed and not dropped, by name."""
        self.folder = folder
        self.referred_to = referred_to
        self._writable = writable

    def adopt(self, staged: Path, name: str) -> LearnedFile:
        """Hash and sync a staged file and give it its final name; commit what refers to it afterwards.

        Returns:
            The file, for `Learned.files`.

        Raises:
            StoreError: The name is taken, or is not a plain file name; or the run is open for reading only.
            DiskError: `staged` is gone or on another file system, or the disk refused.
        """
        self._require_writable()
        target = self.path(name)
        with disk_errors(target, "keep a learned file"):
            if target.exists():
                raise StoreError(f"{target} exists already; choose another name")
            sha256 = _hash(staged)
            files.sync(staged)
            files.publish(staged, target)
        return LearnedFile(name, sha256)

    def path(self, name: str) -> Path:
        """Where a file lies. Raises StoreError if it cannot be a file's name."""
        if not is_name(name):
            raise StoreError(f"{name!r} cannot name a learned file; use letters, digits, dots and dashes")
        return self.folder / name

    def check(self, name: str) -> None:
        """Compare a file with the hash that was committed.

        Raises:
            DamagedError: It is missing, or not what was committed.
            DiskError: It cannot be read.
            StoreError: No commit names it, or it was dropped.
        """
        expected = self.referred_to().get(name)
        path = self.path(name)
        if expected is None:
            raise StoreError(f"{path} is not a learned file of this run, or was dropped")
        with disk_errors(path, "check a learned file"):
            try:
                found = _hash(path)
            except FileNotFoundError as error:
                raise DamagedError(f"{path} is missing; restore the run from a snapshot") from error
        if found != expected:
            raise DamagedError(f"{path} is not what was committed; restore the run from a snapshot")

    def remove(self, name: str) -> None:
        """Remove a file that was dropped; what cannot be removed now is swept at the next start."""
        self._require_writable()
        with contextlib.suppress(OSError):
            files.remove(self.path(name))

    def sweep(self) -> list[str]:
        """Remove everything that no commit names, unfinished files among it, and return the names.

        Raises:
            DiskError: The disk refused.
        """
        self._require_writable()
        kept = self.referred_to()
        with disk_errors(self.folder, "sweep learned files"):
            swept = [name for name in files.names(self.folder) if name not in kept]
            for name in swept:
                files.remove(self.folder / name)
        return swept

    def prepare(self) -> None:
        """Make the folder, which a run of an older version does not have. Raises DiskError."""
        with disk_errors(self.folder, "open the run"):
            if not self.folder.is_dir():
                self.folder.mkdir()
                files.sync(self.folder.parent)

    def _require_writable(self) -> None:
        if not self._writable:
            raise StoreError(f"{self.folder.parent} is open for reading only; open it with writable=True")


def is_name(name: object) -> bool:
    """Whether a learned file may have this name: that of a file inside `learned/` that is not unfinished."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
