"""A folder of one's own: `train/<class>/<image>`, `test/<class>/<image>` and, if wanted, `val/<class>/<image>`."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from nasd.config import DataConfig
from nasd.data._record import Description
from nasd.data._source import Part, Raw, damaged
from nasd.errors import DataMissingError


class ImageFolder:
    """Colour images of any size: the shorter side is scaled to `image_size`, then the centre is cut out."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Count the class folders."""
        return Description(_side(config), 3, len(_classes(root / "train")))

    def prepare(self, root: Path) -> None:
        """Check that the parts are there and have the same classes."""
        classes = _classes(root / "train")
        for part in _parts(root)[1:]:
            if _classes(root / part) != classes:
                raise DataMissingError(f"{root / part} must have the same class folders as {root / 'train'}")

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Decode all images, several at a time."""
        self.prepare(root)
        side = _side(config)
        parts = {name: _read(root / name, side) for name in _parts(root)}
        transforms = (f"shorter side scaled to {side} (bilinear, antialiased)", f"centre {side}x{side} cut out")
        return Raw(parts["train"], parts["test"], _classes(root / "train"), transforms, parts.get("val"))


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


def _read(folder: Path, side: int) -> Part:
    # a second to import, and no other data set needs it
    from torchvision.datasets import ImageFolder as Files  # noqa: PLC0415
    from torchvision.transforms import v2  # noqa: PLC0415

    transform = v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(side), v2.PILToTensor()])
    try:
        files = Files(str(folder), transform=transform)
    except OSError as error:
        raise DataMissingError(f"{folder} cannot be used: {error}") from error
    images = torch.empty((len(files), 3, side, side), dtype=torch.uint8)

    def decode(row: int) -> None:
        try:
            images[row] = files[row][0]
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises all three for a broken image
            raise damaged(Path(files.samples[row][0]), f"it is no image that can be read ({error})") from error

    with ThreadPoolExecutor(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()) as pool:
        for _ in pool.map(decode, range(len(files))):
            pass
    return Part(images, torch.tensor(files.targets, dtype=torch.int64))
