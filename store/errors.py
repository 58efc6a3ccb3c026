"""What can go wrong in a run directory. `str(error)` is a whole sentence for a person: what, where, what to do."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """Base class of everything the store raises on purpose."""


class RunMissingError(StoreError):
    """There is no run at this path."""


class RunExistsError(StoreError):
    """The path of a new run is taken."""


class RunLockedError(StoreError):
    """Another process has the run open for writing. `pid` is its process, where it could be read."""

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class NewerRunError(StoreError):
    """The run was written by a newer version."""


class OlderRunError(StoreError):
    """The run was written by an older version and must be opened for writing once, which brings it up to date."""


class DamagedError(StoreError):
    """A file of the run is not what was written."""


class DiskFullError(StoreError):
    """No space is left. Nothing was changed; the same call works once there is space."""


class DiskError(StoreError):
    """The disk refused: an I/O error, a read-only file system, a missing permission. Nothing was changed."""


class InvalidDeltaError(StoreError):
    """A commit that contradicts what is stored. Nothing was changed."""


class EmbeddingError(StoreError):
    """An embedding is missing, incomplete, damaged, or larger than allowed."""


_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn the errors of SQLite and the operating system into one sentence.

    Args:
        path: The file or directory that is named.
        doing: What was attempted, e.g. "commit a trial".
    """
    try:
        yield
    except UnicodeDecodeError as error:  # a text in the database, or in a file
        raise DamagedError(
            f"could not {doing}: {path} is damaged, it holds a text that is not UTF-8; restore it from a snapshot"
        ) from error
    except sqlite3.Error as error:
        raise _from_sqlite(error, path, doing) from error
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(_full(path, doing)) from error
        reason = error.strerror or str(error)
        raise DiskError(f"could not {doing} in {path}: {reason.lower()}; nothing was changed") from error


def _full(path: Path, doing: str) -> str:
    return f"could not {doing}: no space left for {path}; nothing was changed, free some space and try again"


def _from_sqlite(error: sqlite3.Error, path: Path, doing: str) -> StoreError:
    name = getattr(error, "sqlite_errorname", None) or ""
    if "decode to UTF-8" in str(error):  # by Python's module, without a code
        name = "SQLITE_CORRUPT"
    if name.startswith("SQLITE_FULL"):
        return DiskFullError(_full(path, doing))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")):
        return DamagedError(
            f"could not {doing}: {path} is damaged ({error}); restore it from a backup, "
            f"or try `sqlite3 {path.name} .recover`"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(f"could not {doing}: another program holds {path} locked; close it and try again")
    if isinstance(error, sqlite3.IntegrityError):
        return InvalidDeltaError(f"could not {doing} in {path}: {error}; nothing was changed")
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return DiskError(
            f"could not {doing} in {path}: {error} ({name}); nothing was changed, check the disk and rights"
        )
    return StoreError(f"could not {doing} in {path}: {error}")
