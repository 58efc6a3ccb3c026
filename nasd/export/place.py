"""Where an export grows until it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasd.errors import NasdError
from store import RunLockedError, files
from store.errors import disk_errors
from store.lock import WriterLock


@contextmanager
def unfinished(target: Path, *, resumable: bool = False, replace: bool = False) -> Iterator[Path]:
    """A path in a hidden folder beside `target`; what is there at the end becomes `target`, synced.

    A killed process leaves the hidden folder, which the next call for the same target takes over.

    Args:
        target: Must not exist, unless it is to be replaced.
        resumable: Keep what an earlier call left there, and what is there when this one fails.
        replace: Take the place of a file that exists.

    Raises:
        NasdError: The target exists, or another export writes it.
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    part = target.with_name(f".{target.name}.part")
    whole = part / "whole"
    with disk_errors(target, "write an export"):
        _require_free(target, replace=replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir(exist_ok=True)
        try:
            lock = WriterLock(part / "lock")
        except RunLockedError as error:
            raise NasdError(f"process {error.pid} is writing {target}: wait for it") from error
        try:
            _require_free(target, replace=replace)
            if not resumable:
                files.remove(whole)
            yield whole
            if whole.is_dir():
                files.sync_tree(whole)
            else:
                files.sync(whole)
            files.publish(whole, target)
        except BaseException:
            if not resumable:
                files.remove(part)
            raise
        finally:
            lock.release()
        files.remove(part)


def _require_free(target: Path, *, replace: bool) -> None:
    if target.is_dir() or (target.exists() and not replace):
        raise NasdError(f"{target} exists already: choose another place, or remove it")
