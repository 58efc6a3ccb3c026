"""SVHN and STL-10, in the files that their authors publish and torchvision leaves on disks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasd.config import DataConfig
from nasd.data import _matlab
from nasd.data._source import Description, Part, Raw, damaged
from nasd.errors import DataMissingError


class Svhn:
    """Street View House Numbers, cropped digits of 32x32 (http://ufldl.stanford.edu/housenumbers)."""

    FILES = ("train_32x32.mat", "test_32x32.mat")

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(32, 3, 10)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Check that the files are there; they are not downloaded."""
        _require(self.files(root, config), "http://ufldl.stanford.edu/housenumbers")

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """In `root`, where torchvision has them, or in a folder of the data set's own."""
        folder = next((root / name for name in ("SVHN", "svhn") if (root / name).is_dir()), root)
        return tuple(folder / name for name in self.FILES)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read both parts; the digit 0, which the files call 10, is class 0."""
        self.prepare(root, config)
        train, test = (self._part(path) for path in self.files(root, config))
        return Raw(train, test, tuple("0123456789"))

    def _part(self, path: Path) -> Part:
        try:
            found = _matlab.read(path)
        except (OSError, _matlab.MatError) as error:
            raise damaged(path, f"it is not what SVHN's authors publish: {error}") from error
        x, y = found.get("X"), found.get("y")
        if x is None or x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3):
            raise damaged(path, "it has no images of 32x32x3 bytes as X")
        if y is None or y.size != x.shape[3] or not y.size or y.min() < 1 or y.max() > 10:
            raise damaged(path, "it has no label from 1 to 10 for each image as y")
        images = np.ascontiguousarray(x.transpose(3, 2, 0, 1))
        return Part(images, y.ravel().astype(np.int64) % 10)


class Stl10:
    """STL-10, 5,000 training and 8,000 test images of 96x96 (https://cs.stanford.edu/~acoates/stl10)."""

    FOLDER = "stl10_binary"
    FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt")

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(96, 3, 10)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Check that the files are there; they are not downloaded."""
        _require(self.files(root, config), "https://cs.stanford.edu/~acoates/stl10")

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """Without the images that have no label."""
        return tuple(root / self.FOLDER / name for name in self.FILES)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read both parts; the files count classes from 1."""
        self.prepare(root, config)
        train_x, train_y, test_x, test_y, names = self.files(root, config)
        classes = tuple(_bytes(names).tobytes().decode("ascii", "replace").split())
        if len(classes) != 10:
            raise damaged(names, f"it names {len(classes)} classes, not 10")
        return Raw(self._part(train_x, train_y), self._part(test_x, test_y), classes)

    def _part(self, images: Path, labels: Path) -> Part:
        x, y = _bytes(images), _bytes(labels)
        if not len(x) or len(x) % (3 * 96 * 96):
            raise damaged(images, "its bytes do not fill whole images of 3x96x96")
        if len(y) != len(x) // (3 * 96 * 96) or y.min() < 1 or y.max() > 10:
            raise damaged(labels, "it has no label from 1 to 10 for each image")
        columns = x.reshape(-1, 3, 96, 96)  # each channel is stored column by column
        return Part(np.ascontiguousarray(columns.transpose(0, 1, 3, 2)), y.astype(np.int64) - 1)


def _require(files: tuple[Path, ...], site: str) -> None:
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise DataMissingError(f"{files[0].parent} lacks {', '.join(missing)}: put them there, from {site}")


def _bytes(path: Path) -> NDArray[np.uint8]:
    try:
        return np.fromfile(path, np.uint8)
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error})") from error
