"""A folder of one's own: `train/<class>/<image>`, `test/<class>/<image>` and, if wanted, `val/<class>/<image>`."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nasd.config import DataConfig
from nasd.data._record import Description
from nasd.data._source import Part, Raw, damaged
from nasd.errors import DataMissingError


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

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Decode all images, several at a time."""
        files = self.open(root, config)
        own = files.validation
        validation = None if own is None else own.part()
        return Raw(files.train.part(), files.test.part(), files.classes, files.transforms, validation)

    def open(self, root: Path, config: DataConfig) -> "FolderFiles":
        """List all images; none is decoded."""
        self.prepare(root, config)
        side = _side(config)
        parts = {name: _list(root / name, side) for name in _parts(root)}
        transforms = (f"shorter side scaled to {side} (bilinear, antialiased)", f"centre {side}x{side} cut out")
        return FolderFiles(parts["train"], parts["test"], _classes(root / "train"), transforms, parts.get("val"))


class FileImages:
    """The images of one part, decoded when they are asked for, several at a time.

    Attributes:
        labels: (N,) int64.
    """

    def __init__(self, files: Any, rows: Tensor, side: int) -> None:
        """Args: `files` is torchvision's data set, `rows` the ones of it that are meant, in their order."""
        self._files, self._rows, self._side = files, rows, side
        self.labels = torch.tensor(files.targets, dtype=torch.int64)[rows]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return len(self._rows), 3, self._side, self._side

    def take(self, rows: Tensor) -> "FileImages":
        """The images at `rows` (int64), in that order."""
        return FileImages(self._files, self._rows[rows], self._side)

    def part(self) -> Part:
        """All of them, decoded."""
        return Part(self[torch.arange(len(self._rows))], self.labels)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(N, C, H, W) uint8. Raises DataMissingError for a damaged image."""
        with torch.inference_mode(False):  # the mode is each thread's own, and other threads fill it
            images = torch.empty((len(rows), 3, self._side, self._side), dtype=torch.uint8)
        wanted = self._rows[rows].tolist()

        def decode(place: int) -> None:
            try:
                images[place] = self._files[wanted[place]][0]
            except (OSError, ValueError, SyntaxError) as error:  # Pillow raises all three for a broken image
                path = Path(self._files.samples[wanted[place]][0])
                raise damaged(path, f"it is no image that can be read ({error})") from error

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for _ in pool.map(decode, range(len(wanted))):
                pass
        return images


@dataclass(frozen=True)
class FolderFiles:
    """An image folder, listed; `validation` only where it brings its own."""

    train: FileImages
    test: FileImages
    classes: tuple[str, ...]
    transforms: tuple[str, ...]
    validation: FileImages | None


def _side(config: DataConfig) -> int:
    if config.image_size is None:
        raise ValueError("image_folder needs image_size")  # the configuration has checked it
    return config.image_size


def _parts(root: Path) -> list[str]:
    return ["train", "test", *(["val"] if (root / "val").is_dir() else [])]


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    except OSError as error:
        raise DataMissingError(
            f"{folder} cannot be read ({error.strerror}): an image folder holds train/<class>/<image> and "
            "test/<class>/<image>"
        ) from error
    if not classes:
        raise DataMissingError(f"{folder} has no class folders: put the images of each class in a folder of its own")
    return classes


def _list(folder: Path, side: int) -> FileImages:
    # a second to import, and no other data set needs it
    from torchvision.datasets import ImageFolder as Files  # noqa: PLC0415
    from torchvision.transforms import v2  # noqa: PLC0415

    transform = v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(side), v2.PILToTensor()])
    try:
        files = Files(str(folder), transform=transform)
    except OSError as error:
        raise DataMissingError(f"{folder} cannot be used: {error}") from error
    return FileImages(files, torch.arange(len(files)), side)
