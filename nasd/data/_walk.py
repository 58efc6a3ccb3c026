"""Which files of a folder are images of a data set: what a person put there, and nothing twice."""

import os
from collections.abc import Iterator
from pathlib import Path

from nasd.errors import DataMissingError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
"""Those that torchvision's `ImageFolder` takes."""
_OF_SYSTEMS = {"@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found", "system volume information"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder was left there by a system: `._x.png`, `.ipynb_checkpoints`, `@eaDir`."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image to read."""
    return name.lower().endswith(EXTENSIONS) and not is_hidden(name)


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, sorted: no hidden ones, and no links to where they lie.

    Raises:
        OSError: It cannot be read.
    """
    with os.scandir(folder) as entries:
        return sorted(
            entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name) and not _leads_back(entry)
        )


def images(folder: Path, *, apart: tuple[Path, ...] = ()) -> list[Path]:
    """All images under `folder`, in torchvision's order: folder by folder.

    Links to files are files. Links to folders are followed, unless these hold the link, were seen already, or lie in
    one of `apart` (resolved): the data set has them anyway.

    Raises:
        DataMissingError: A folder cannot be read, or an image's link leads nowhere.
    """
    try:
        found = dict(_walk(str(folder), apart, set()))
    except OSError as error:
        raise DataMissingError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    return [Path(place, name) for place in sorted(found) for name in sorted(found[place])]


def _walk(folder: str, apart: tuple[Path, ...], seen: set[tuple[int, int]]) -> Iterator[tuple[str, list[str]]]:
    status = os.stat(folder)  # noqa: PTH116 - two system calls an image are a third of the time
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    names, below = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                if not entry.is_symlink() or not (_leads_back(entry) or _lies_in(entry, apart)):
                    below.append(entry.path)
            elif is_image(entry.name):
                if not entry.is_file():
                    what = "a link to an image that is not there: mend it, or" if entry.is_symlink() else "no file:"
                    raise DataMissingError(f"{entry.path} is {what} remove it")
                names.append(entry.name)
    yield folder, names
    for path in sorted(below):
        yield from _walk(path, apart, seen)


def _leads_back(entry: "os.DirEntry[str]") -> bool:
    """Whether a link leads to a folder that holds the link."""
    if not entry.is_symlink():
        return False
    path = Path(entry.path)
    return path.parent.resolve().is_relative_to(path.resolve())


def _lies_in(entry: "os.DirEntry[str]", folders: tuple[Path, ...]) -> bool:
    target = Path(entry.path).resolve()
    return any(target.is_relative_to(folder) for folder in folders)
