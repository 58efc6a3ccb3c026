"""A folder of one's own: `train/<class>/<image>`, `test/<class>/<image>` and, if wanted, `val/<class>/<image>`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasd.box import limits
from nasd.config import DataConfig
from nasd.data import _walk
from nasd.data._pixels import centre, read
from nasd.data._source import Description, Part, Raw
from nasd.errors import DataMissingError


@dataclass(frozen=True)
class ClassFiles:
    """Image files of one part, and the class of each: labels (N,)."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class FolderListing:
    """An image folder, listed; `validation` only where it brings its own."""

    train: ClassFiles
    test: ClassFiles
    classes: tuple[str, ...]
    transforms: tuple[str, ...]
    validation: ClassFiles | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of all images."""
        return (*self.train.paths, *self.test.paths, *(self.validation.paths if self.validation else ()))


class ImageFolder:
    """Colour images of any size: the shorter side is scaled to `image_size`, then the centre is cut out."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Count the class folders."""
        return Description(_side(config), 3, len(_classes(root / "train")))

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Check that the parts are there and have the same classes."""
        classes = _classes(root / "train")
        for part in _parts(root)[1:]:
            if _classes(root / part) != classes:
                raise DataMissingError(f"{root / part} must have the same class folders as {root / 'train'}")

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """All images."""
        return self.listing(root, config).paths

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Decode all images, several at a time."""
        files, side = self.listing(root, config), _side(config)

        def part(files: ClassFiles) -> Part:
            return Part(decoded(files.paths, side), files.labels)

        validation = None if files.validation is None else part(files.validation)
        return Raw(part(files.train), part(files.test), files.classes, files.transforms, validation)

    def listing(self, root: Path, config: DataConfig) -> FolderListing:
        """List all images; none is decoded."""
        self.prepare(root, config)
        side, classes = _side(config), _classes(root / "train")
        apart = tuple((root / name).resolve() for name in _parts(root))
        parts = {name: _list(root / name, classes, apart) for name in _parts(root)}
        transforms = (f"shorter side scaled to {side} (bilinear, antialiased)", f"centre {side}x{side} cut out")
        return FolderListing(parts["train"], parts["test"], classes, transforms, parts.get("val"))


def decoded(paths: Sequence[Path], side: int) -> NDArray[np.uint8]:
    """(N, 3, side, side): the centres of the images, several at a time. Raises DataMissingError."""
    images = np.empty((len(paths), 3, side, side), np.uint8)

    def decode(place: int) -> None:
        images[place] = centre(read(paths[place]), side)

    with ThreadPoolExecutor(limits.cores().counts, "images") as pool:
        for _ in pool.map(decode, range(len(paths))):
            pass
    return images


def _side(config: DataConfig) -> int:
    if config.image_size is None:
        raise ValueError("image_folder needs image_size")  # the configuration has checked it
    return config.image_size


def _parts(root: Path) -> list[str]:
    return ["train", "test", *(["val"] if (root / "val").is_dir() else [])]


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        classes = tuple(_walk.subfolders(folder))
    except OSError as error:
        raise DataMissingError(
            f"{folder} cannot be read ({error.strerror}): an image folder holds train/<class>/<image> and "
            "test/<class>/<image>"
        ) from error
    for name in classes:
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise DataMissingError(f"{folder} has a class folder whose name {name!r} is not UTF-8: rename it")
    if not classes:
        raise DataMissingError(f"{folder} has no class folders: put the images of each class in a folder of its own")
    return classes


def _list(folder: Path, classes: tuple[str, ...], apart: tuple[Path, ...]) -> ClassFiles:
    found = [_walk.images(folder / name, apart=apart) for name in classes]
    for name, paths in zip(classes, found, strict=True):
        if not paths:
            raise DataMissingError(
                f"{folder / name} holds no images ({', '.join(_walk.EXTENSIONS)}): put the class's images there, or "
                "remove the folder"
            )
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in found])
    return ClassFiles(tuple(path for paths in found for path in paths), labels)
