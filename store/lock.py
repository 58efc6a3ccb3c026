"""The writer's lock: one process at a time, released by the operating system when that process ends in any way."""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from store import files
from store.errors import RunLockedError


class WriterLock:
    """An exclusive `flock` on a file, held until `release` or the end of the process.

    The file also holds the owner's process id, for the message that another one gets; it decides nothing. The
    descriptor is not inherited by programs that are started, but is by a bare `fork`: a process that is stopped between
    fork and exec outlives its killed parent with it, and is woken by the next one that wants the lock.

    Raises:
        RunLockedError: Another process holds it.
        OSError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _take(descriptor) and not (_wake_forks(descriptor) and _take(descriptor, attempts=15)):
            pid = _owner(descriptor)
            os.close(descriptor)
            owner = "another process" if pid is None else f"process {pid}"
            raise RunLockedError(f"{path.parent} is owned by {owner}; stop it first, or attach to it", pid)
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Let the next one in. Fine to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _take(descriptor: int, attempts: int = 5) -> bool:
    for attempt in range(attempts):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02 * attempt)  # `is_locked` of another process holds it for an instant
        else:
            return True
    return False


def _wake_forks(descriptor: int) -> bool:
    """Continue what was stopped between fork and exec, and whose parent, the owner, was killed; whether there is any.

    Once it is a program it has let go of the lock, and finds that its daemon is gone.
    """
    owner, lock, woken = _owner(descriptor), os.fstat(descriptor), False
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if pid in (owner, os.getpid()):
            continue
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            # The fields behind the name in brackets, which may hold anything: state, parent, ...
            state, parent = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state == "T" and int(parent) != owner and any(_is(lock, link) for link in (process / "fd").iterdir()):
                os.kill(pid, signal.SIGCONT)
                woken = True
    return woken


def _is(file: os.stat_result, link: Path) -> bool:
    try:
        return os.path.samestat(file, link.stat())
    except OSError:  # a socket, or closed meanwhile
        return False


def _owner(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def is_owned(directory: Path) -> bool:
    """Whether a process has the run in this directory open for writing at this moment."""
    return is_locked(directory / "lock")


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on this file at this moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def claim_folder(target: Path, prefix: str) -> tuple[Path, WriterLock]:
    """Make a folder beside `target` for what is not whole yet, and own it.

    First removes those with this prefix that killed processes left.

    Raises:
        OSError: The disk refused.
    """
    sweep_abandoned(target.parent, prefix)
    while True:
        temporary = files.temporary_beside(target)
        staged = temporary.with_name(temporary.name.replace(files.TEMPORARY, prefix))
        staged.mkdir()
        try:
            lock = WriterLock(staged / "lock")
        except (FileNotFoundError, RunLockedError):
            continue  # swept by another process before it was owned
        except OSError:
            _remove_owned(staged)
            raise
        if (staged / "lock").exists():
            return staged, lock
        lock.release()


def release_folder(staged: Path, lock: WriterLock) -> None:
    """Remove a claimed folder, if it was not published, and give up its lock."""
    try:
        if staged.exists():
            with contextlib.suppress(OSError):  # whatever is left is swept by the next claim
                _remove_owned(staged)
    finally:
        lock.release()


def sweep_abandoned(folder: Path, prefix: str) -> None:
    """Remove what killed processes left unfinished: folders with this prefix whose `lock` nobody holds."""
    for name in files.names(folder):
        if not name.startswith(prefix):
            continue
        with contextlib.suppress(OSError, RunLockedError):  # in use, or not ours to remove: the next sweep looks again
            if not (folder / name / "lock").exists():
                (folder / name).rmdir()  # a kill between making it and locking it; one with content has a lock
                continue
            lock = WriterLock(folder / name / "lock")
            try:
                _remove_owned(folder / name)
            finally:
                lock.release()


def _remove_owned(staged: Path) -> None:
    """Remove a folder, its lock last: whatever a kill leaves of it can be swept."""
    for name in files.names(staged):
        if name != "lock":
            files.remove(staged / name)
    files.remove(staged / "lock")
    staged.rmdir()
