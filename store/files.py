"""Files that are there whole or not at all: written under a temporary name, synced, renamed, the folder synced."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".tmp-"
"""What the name of everything unfinished begins with. Nothing that bears it is ever referred to."""


def temporary_beside(target: Path) -> Path:
    """Give a fresh temporary path in the folder of `target`."""
    return target.parent / f"{TEMPORARY}{uuid.uuid4().hex}"


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk.

    Raises:
        OSError: The disk refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Sync every file below a folder, then every folder, the deepest first.

    Raises:
        OSError: The disk refused.
    """
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))


def publish(temporary: Path, target: Path) -> None:
    """Give a synced file or folder its final name, and sync the folder that holds it.

    Raises:
        OSError: The disk refused, or `target` is a folder that is not empty.
    """
    temporary.rename(target)
    sync(target.parent)


def write_atomically(target: Path, data: bytes) -> None:
    """Write a whole file, replacing an old one.

    Raises:
        OSError: The disk refused; an old file is untouched.
    """
    temporary = temporary_beside(target)
    try:
        temporary.write_bytes(data)
        sync(temporary)
        publish(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder by hard links, or file by file where the file system has none. Not synced.

    Raises:
        OSError: The disk refused.
    """
    shutil.copytree(source, target, copy_function=link)


def link(source: str | Path, target: str | Path) -> None:
    """Copy a file by a hard link, or byte by byte where the file system has none. Not synced.

    Raises:
        OSError: The disk refused.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def disk_usage(root: Path) -> int:
    """Bytes that a folder takes on the disk; what vanishes meanwhile is not counted."""
    return sum(_allocated(Path(folder, name)) for folder, _, files in os.walk(root) for name in files)


def _allocated(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def names(folder: Path) -> Iterator[str]:
    """The names in a folder; none where it does not exist."""
    try:
        yield from sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    except FileNotFoundError:
        return


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; fine if it is gone already.

    Raises:
        OSError: The disk refused.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at `offset` of an open file.

    Raises:
        OSError: The disk refused.
    """
    left = data.cast("B")
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
