"""CIFAR-10 and CIFAR-100 in their authors' *binary version* (https://www.cs.toronto.edu/~kriz/cifar.html).

torchvision's loaders read the Python version, which is pickle: opening it can run code. The binary version holds the
same images as plain bytes.
"""

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.data._download import download
from nasd.data._source import Description, Part, Raw, damaged
from nasd.errors import DataMissingError

SITE = "https://www.cs.toronto.edu/~kriz/"
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Cifar:
    """Colour images of 32x32, from the unpacked folder where there is one, else from the archive as it is."""

    archive: str
    md5: str
    folder: str  # inside the archive
    train: tuple[str, ...]
    test: str
    names: str
    num_classes: int
    label_bytes: int  # the label is the last of these (CIFAR-100 puts the coarse label first)

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(32, 3, self.num_classes)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Download the archive where neither it nor the folder is there."""
        if (root / self.folder).is_dir() or (root / self.archive).is_file():
            return
        try:
            download([SITE + self.archive], root / self.archive, self.md5)
        except OSError as error:
            raise DataMissingError(
                f"{self.archive} is not in {root} and cannot be downloaded ({error}): put it there, or the folder "
                f"{self.folder} that it holds (the binary version; the Python version is pickle and is not read)"
            ) from error

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read all files."""
        self.prepare(root, config)
        wanted = (*self.train, self.test, self.names)
        unpacked = (root / self.folder).is_dir()
        content = self._from_folder(root, wanted) if unpacked else self._from_archive(root, wanted)
        source = root / (self.folder if unpacked else self.archive)
        classes = tuple(content[self.names].decode("ascii", "replace").split())
        if len(classes) != self.num_classes:
            raise damaged(source, f"{self.names} names {len(classes)} classes, not {self.num_classes}")
        train = b"".join(content[name] for name in self.train)
        return Raw(self._part(source, train), self._part(source, content[self.test]), classes)

    def _from_folder(self, root: Path, names: tuple[str, ...]) -> dict[str, bytes]:
        folder = root / self.folder
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise DataMissingError(
                f"{folder} lacks {', '.join(missing)}: unpack {self.archive} there again, "
                f"or remove the folder to have {SITE}{self.archive} downloaded"
            )
        try:
            return {name: (folder / name).read_bytes() for name in names}
        except OSError as error:
            raise damaged(folder, f"it cannot be read ({error})") from error

    def _from_archive(self, root: Path, names: tuple[str, ...]) -> dict[str, bytes]:
        path = root / self.archive
        content: dict[str, bytes] = {}
        try:
            with tarfile.open(path, "r:gz") as archive:
                for member in archive:
                    name = member.name.removeprefix(f"{self.folder}/")
                    if name in names and (file := archive.extractfile(member)) is not None:
                        content[name] = file.read()
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise damaged(path, f"it cannot be read ({error})") from error
        missing = [name for name in names if name not in content]
        if missing:
            raise damaged(path, f"it lacks {', '.join(missing)}")
        return content

    def _part(self, source: Path, content: bytes) -> Part:
        row = self.label_bytes + PIXELS
        if not content or len(content) % row:
            raise damaged(source, f"its images do not fill whole rows of {row} bytes")
        rows = np.frombuffer(content, np.uint8).reshape(-1, row)
        labels = rows[:, self.label_bytes - 1].astype(np.int64)
        if labels.max() >= self.num_classes:
            raise damaged(source, f"it has labels of {self.num_classes} and above")
        images = rows[:, self.label_bytes :].reshape(-1, 3, 32, 32).copy()
        return Part(images, labels)


CIFAR10 = Cifar(
    archive="cifar-10-binary.tar.gz",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    folder="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    names="batches.meta.txt",
    num_classes=10,
    label_bytes=1,
)
CIFAR100 = Cifar(
    archive="cifar-100-binary.tar.gz",
    md5="03b5dce01913d631647c71ecec9e9cb8",
    folder="cifar-100-binary",
    train=("train.bin",),
    test="test.bin",
    names="fine_label_names.txt",
    num_classes=100,
    label_bytes=2,
)
