"""From a configuration to a loaded, split data set."""

import os
from pathlib import Path

import platformdirs
import torch
from torch import Tensor
from torch.nn import functional

from nasd.config import DataConfig
from nasd.data._cifar import CIFAR10, CIFAR100
from nasd.data._digits import Digits
from nasd.data._folder import ImageFolder
from nasd.data._idx import Idx
from nasd.data._record import Data, Description, Split
from nasd.data._source import Part, Source
from nasd.errors import ConfigError

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

SOURCES: dict[str, Source] = {
    "digits": Digits(),
    "mnist": Idx("MNIST", tuple("0123456789")),
    "fashion_mnist": Idx("FashionMNIST", FASHION),
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "image_folder": ImageFolder(),
}


def describe(config: DataConfig) -> Description:
    """Image size, channels and number of classes, without reading images.

    Raises:
        DataMissingError: An image folder is not there. The other data sets' shapes are known beforehand.
    """
    native = SOURCES[config.name].describe(root(config), config)
    return native._replace(image_size=config.image_size or native.image_size)


def prepare(config: DataConfig) -> None:
    """Make sure that the files are there, downloading them on first use.

    Raises:
        DataMissingError: They are not and cannot be; the message names the folder and what belongs in it.
    """
    SOURCES[config.name].prepare(root(config))


def load(config: DataConfig, seed: int) -> Data:
    """Read a data set and take its validation split from the training images (DESIGN: 10 %).

    Args:
        config: Which data set.
        seed: The run's seed; the validation split depends on nothing else.

    Raises:
        DataMissingError: Files are missing and cannot be downloaded, or are damaged.
        ConfigError: Fewer than two training images would be left.
    """
    raw = SOURCES[config.name].read(root(config), config)
    size = config.image_size or raw.train.images.shape[-1]
    resized = size != raw.train.images.shape[-1]
    train, validation = _validation_split(_split(raw.train, size), config.validation_fraction, seed, raw.validation)
    if config.train_samples is not None:
        train = train.take(torch.arange(min(config.train_samples, len(train))))
    if len(train) < 2:
        raise ConfigError(f"{config.name} leaves {len(train)} training image(s): a search needs at least 2")
    return Data(
        name=config.name,
        train=train,
        validation=validation if raw.validation is None else _split(raw.validation, size),
        test=_split(raw.test, size),
        classes=raw.classes,
        transforms=(
            *raw.transforms,
            *([f"resized to {size}x{size} (bilinear, antialiased)"] if resized else []),
            "pixels scaled to [0, 1] (float32)",
        ),
    )


def root(config: DataConfig) -> Path:
    """The folder that holds the data sets: the config's, else $NASD_DATA, else the user's cache folder."""
    if config.root is not None:
        return config.root.expanduser()
    return Path(os.environ.get("NASD_DATA") or platformdirs.user_cache_dir("nasd")).expanduser()


def _split(part: Part, size: int) -> Split:
    return Split(_resize(part.images, size), part.labels, torch.arange(len(part.labels)))


def _validation_split(split: Split, fraction: float, seed: int, own: Part | None) -> tuple[Split, Split]:
    """The shuffled training images, and those taken from them (none where the data set brings its own)."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    held_out = 0 if own is not None else max(1, int(fraction * len(split)))
    return split.take(order[held_out:]), split.take(order[:held_out])


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    out = torch.empty((*images.shape[:2], size, size), dtype=torch.uint8)
    for start in range(0, len(images), 1024):  # bounded temporary memory
        chunk = slice(start, start + 1024)
        out[chunk] = functional.interpolate(images[chunk], size=(size, size), mode="bilinear", antialias=True)
    return out
