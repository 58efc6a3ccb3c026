"""MNIST and its like: four IDX files, in torchvision's layout (http://yann.lecun.com/exdb/mnist).

EMNIST's images lie on their side, as their authors and torchvision have them (arXiv 1702.05373).
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nasd.config import DataConfig
from nasd.data._download import download
from nasd.data._source import Description, Part, Raw, damaged
from nasd.errors import DataMissingError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Idx:
    """Grey images of 28x28. They keep their single channel.

    Args:
        folder: In the folder of data sets; also the name of torchvision's class, which knows addresses and sums.
        classes: Their names.
        files: Images and labels of the training part, then of the test part.
        first_label: The label of the first class.
        site: Where the files are had, if they are not downloaded.
    """

    def __init__(
        self,
        folder: str,
        classes: tuple[str, ...],
        files: tuple[str, ...] = FILES,
        first_label: int = 0,
        site: str | None = None,
    ) -> None:
        self.folder, self.classes, self._files = folder, classes, files
        self._first, self._site = first_label, site

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(28, 1, len(self.classes))

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Download what is missing."""
        folder = root / self.folder / "raw"
        missing = [name for name in self._files if _find(folder, name) is None]
        if not missing:
            return
        if self._site is not None:
            raise DataMissingError(
                f"{folder} lacks {', '.join(missing)}: put them there, plain or as .gz, from {self._site}"
            )
        import torchvision  # noqa: PLC0415 - a second to import, and needed for a download only

        known = getattr(torchvision.datasets, self.folder)
        sums = {file.removesuffix(".gz"): md5 for file, md5 in known.resources}
        try:
            for name in missing:
                download([f"{mirror}{name}.gz" for mirror in known.mirrors], folder / f"{name}.gz", sums[name])
        except OSError as error:
            raise DataMissingError(
                f"{self.folder} is not complete in {folder} and cannot be downloaded ({error}): "
                f"put {', '.join(self._files)} there, plain or as .gz"
            ) from error

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """The four files, plain or gzipped."""
        folder = root / self.folder / "raw"
        return tuple(_find(folder, name) or folder / name for name in self._files)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read the four files, plain or gzipped."""
        self.prepare(root, config)
        folder = root / self.folder / "raw"
        return Raw(self._part(folder, *self._files[:2]), self._part(folder, *self._files[2:]), self.classes)

    def _part(self, folder: Path, images_name: str, labels_name: str) -> Part:
        images, labels = _read_idx(folder, images_name, 3), _read_idx(folder, labels_name, 1)
        if images.shape[1:] != (28, 28):
            raise damaged(folder / images_name, f"its images are {images.shape[1]}x{images.shape[2]}, not 28x28")
        if len(images) != len(labels):
            raise damaged(folder / labels_name, f"it has {len(labels)} labels for {len(images)} images")
        if len(labels) == 0 or labels.min() < self._first or labels.max() >= self._first + len(self.classes):
            first = f"from {self._first} and " if self._first else ""
            raise damaged(folder / labels_name, f"labels must be there, {first}below {self._first + len(self.classes)}")
        return Part(images[:, None], labels.astype(np.int64) - self._first)


def _find(folder: Path, name: str) -> Path | None:
    places = (folder / name, folder / f"{name}.gz", folder / "gzip" / f"{name}.gz")  # EMNIST's archive has gzip/
    return next((path for path in places if path.is_file()), None)


def _read_idx(folder: Path, name: str, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read one file of unsigned bytes with that many dimensions."""
    path = _find(folder, name) or folder / name
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"it cannot be read ({error})") from error
    header = 4 * (1 + dimensions)
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise damaged(path, "it is not an IDX file of unsigned bytes")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    expected = header + int(np.prod(shape, dtype=np.uint64))
    if len(content) != expected:
        raise damaged(path, f"it has {len(content)} bytes, not the {expected} that its header asks for")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


_LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
_CHARACTERS = tuple("0123456789") + tuple(letter.upper() for letter in _LETTERS)
_APART = tuple("abdefghnqrt")  # the small letters that do not look like the capital ones
_EMNIST = {
    "byclass": _CHARACTERS + _LETTERS,
    "bymerge": _CHARACTERS + _APART,
    "balanced": _CHARACTERS + _APART,
    "letters": _LETTERS,
    "digits": tuple("0123456789"),
    "mnist": tuple("0123456789"),
}


def emnist() -> dict[str, Idx]:
    """The six splits of EMNIST, by the names that a config has for them."""
    return {
        f"emnist_{split}": Idx(
            "EMNIST",
            classes,
            tuple(
                f"emnist-{split}-{part}-{what}-ubyte"
                for part in ("train", "test")
                for what in ("images-idx3", "labels-idx1")
            ),
            first_label=1 if split == "letters" else 0,
            site="https://www.nist.gov/itl/products-and-services/emnist-dataset",
        )
        for split, classes in _EMNIST.items()
    }
