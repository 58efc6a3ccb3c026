"""CIFAR-10 and CIFAR-100, as their authors publish them (https://www.cs.toronto.edu/~kriz/cifar.html).

The *binary version* is plain bytes and is what is downloaded. The *Python version*, which torchvision leaves on every
disk, is pickle: `_unpickle` reads it without running any of it. Both hold the same images.
"""

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasd.config import DataConfig
from nasd.data._download import download
from nasd.data._source import Description, Part, Raw, damaged
from nasd.data._unpickle import UnpickleError, loads
from nasd.errors import DataMissingError

SITE = "https://www.cs.toronto.edu/~kriz/"
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Packing:
    """One of the two versions: an archive, the folder in it, and the files there."""

    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str

    @property
    def files(self) -> tuple[str, ...]:
        """All of its files that are read."""
        return (*self.train, self.test, self.names)


@dataclass(frozen=True)
class Cifar:
    """Colour images of 32x32, from an unpacked folder where there is one, else from an archive as it is."""

    binary: Packing
    md5: str  # of the binary archive
    label_bytes: int  # binary: the label is the last of these (CIFAR-100 puts the coarse label first)
    python: Packing
    label_key: str  # Python version: in a batch
    names_key: str
    num_classes: int

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(32, 3, self.num_classes)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Download the binary archive where neither version is there."""
        if self._there(root) is not None:
            return
        try:
            download([SITE + self.binary.archive], root / self.binary.archive, self.md5)
        except OSError as error:
            raise DataMissingError(
                f"{self.binary.archive} is not in {root} and cannot be downloaded ({error}): put it there, or the "
                f"folder {self.binary.folder} that it holds, or the Python version ({self.python.archive}, "
                f"{self.python.folder})"
            ) from error

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """The folder's files, or the archive."""
        packing, unpacked = self._there(root) or (self.binary, False)
        if unpacked:
            return tuple(root / packing.folder / name for name in packing.files)
        return (root / packing.archive,)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read all files."""
        self.prepare(root, config)
        packing, unpacked = self._there(root) or (self.binary, False)
        source = root / (packing.folder if unpacked else packing.archive)
        content = self._from_folder(root, packing) if unpacked else _from_archive(source, packing)
        read = self._read_python if packing is self.python else self._read_binary
        raw = read(source, content)
        if len(raw.classes) != self.num_classes:
            raise damaged(source, f"{packing.names} names {len(raw.classes)} classes, not {self.num_classes}")
        for part in (raw.train, raw.test):
            if part.labels.min() < 0 or part.labels.max() >= self.num_classes:
                raise damaged(source, f"it has labels of {self.num_classes} and above")
        return raw

    def _there(self, root: Path) -> tuple[Packing, bool] | None:
        """The version to read, and whether it is unpacked."""
        for unpacked in (True, False):
            for packing in (self.binary, self.python):
                if (root / packing.folder).is_dir() if unpacked else (root / packing.archive).is_file():
                    return packing, unpacked
        return None

    def _from_folder(self, root: Path, packing: Packing) -> dict[str, bytes]:
        folder = root / packing.folder
        missing = [name for name in packing.files if not (folder / name).is_file()]
        if missing:
            raise DataMissingError(
                f"{folder} lacks {', '.join(missing)}: unpack {packing.archive} there again, "
                f"or remove the folder to have {SITE}{self.binary.archive} downloaded"
            )
        try:
            return {name: (folder / name).read_bytes() for name in packing.files}
        except OSError as error:
            raise damaged(folder, f"it cannot be read ({error})") from error

    def _read_binary(self, source: Path, content: dict[str, bytes]) -> Raw:
        def part(names: tuple[str, ...]) -> Part:
            whole, row = b"".join(content[name] for name in names), self.label_bytes + PIXELS
            if not whole or len(whole) % row:
                raise damaged(source, f"its images do not fill whole rows of {row} bytes")
            rows = np.frombuffer(whole, np.uint8).reshape(-1, row)
            images = rows[:, self.label_bytes :].reshape(-1, 3, 32, 32).copy()
            return Part(images, rows[:, self.label_bytes - 1].astype(np.int64))

        classes = tuple(content[self.binary.names].decode("ascii", "replace").split())
        return Raw(part(self.binary.train), part((self.binary.test,)), classes)

    def _read_python(self, source: Path, content: dict[str, bytes]) -> Raw:
        def table(name: str) -> dict[str, Any]:
            try:
                found: dict[str, Any] = loads(content[name])
            except UnpickleError as error:
                raise damaged(source, f"{name} holds {error}; it was not read") from error
            return found

        def part(names: tuple[str, ...]) -> Part:
            images: list[NDArray[np.uint8]] = []
            labels: list[int] = []
            for name in names:
                batch = table(name)
                data, numbers = batch.get("data"), batch.get(self.label_key)
                if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (PIXELS,):
                    raise damaged(source, f"{name} has no images of {PIXELS} bytes as `data`")
                if not isinstance(numbers, list) or len(numbers) != len(data) or not len(data):
                    raise damaged(source, f"{name} has no label for each image as `{self.label_key}`")
                if not all(type(number) is int and 0 <= number < self.num_classes for number in numbers):
                    raise damaged(source, f"{name} has labels that are not 0 to {self.num_classes - 1}")
                images.append(data)
                labels += numbers
            return Part(np.concatenate(images).reshape(-1, 3, 32, 32), np.array(labels, np.int64))

        named = table(self.python.names).get(self.names_key)
        if not isinstance(named, list) or not all(isinstance(name, str | bytes) for name in named):
            raise damaged(source, f"{self.python.names} has no names as `{self.names_key}`")
        classes = tuple(name.decode("latin-1") if isinstance(name, bytes) else name for name in named)
        return Raw(part(self.python.train), part((self.python.test,)), classes)


def _from_archive(path: Path, packing: Packing) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.removeprefix(f"{packing.folder}/")
                if name in packing.files and (file := archive.extractfile(member)) is not None:
                    content[name] = file.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise damaged(path, f"it cannot be read ({error})") from error
    missing = [name for name in packing.files if name not in content]
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    return content


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR10 = Cifar(
    binary=Packing(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        tuple(f"{batch}.bin" for batch in _BATCHES),
        "test_batch.bin",
        "batches.meta.txt",
    ),
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    label_bytes=1,
    python=Packing("cifar-10-python.tar.gz", "cifar-10-batches-py", _BATCHES, "test_batch", "batches.meta"),
    label_key="labels",
    names_key="label_names",
    num_classes=10,
)
CIFAR100 = Cifar(
    binary=Packing("cifar-100-binary.tar.gz", "cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt"),
    md5="03b5dce01913d631647c71ecec9e9cb8",
    label_bytes=2,
    python=Packing("cifar-100-python.tar.gz", "cifar-100-python", ("train",), "test", "meta"),
    label_key="fine_labels",
    names_key="fine_label_names",
    num_classes=100,
)
