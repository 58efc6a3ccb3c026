"""Data sets by name, and where they lie. Needs no torch: a daemon asks which files a data set has."""

import os
from pathlib import Path

import platformdirs

from nasd.config import DataConfig
from nasd.data._arrays import Arrays
from nasd.data._cifar import CIFAR10, CIFAR100
from nasd.data._codebrim import Codebrim
from nasd.data._csv import ImageCsv
from nasd.data._digits import Digits
from nasd.data._folder import ImageFolder
from nasd.data._idx import Idx, emnist
from nasd.data._others import other
from nasd.data._parquet import Parquet
from nasd.data._published import Stl10, Svhn
from nasd.data._random import Random
from nasd.data._source import LabelledSource, Source
from nasd.errors import DataMissingError

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

SOURCES: dict[str, Source] = {
    "digits": Digits(),
    "mnist": Idx("MNIST", tuple("0123456789")),
    "fashion_mnist": Idx("FashionMNIST", FASHION),
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "kmnist": Idx("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")),
    **emnist(),
    "svhn": Svhn(),
    "stl10": Stl10(),
    "image_folder": ImageFolder(),
    "random": Random(),
    "arrays": Arrays(),
    "parquet": Parquet(),
}
LABELLED: dict[str, LabelledSource] = {"codebrim": Codebrim(), "image_csv": ImageCsv()}
"""Those of several labels per image."""


def source_of(config: DataConfig) -> Source:
    """The data set of one class per image that a config names: one of ours, or of another package's.

    Raises:
        NasdError: The other package cannot be used.
    """
    return SOURCES[config.name] if config.name in SOURCES else other(config.name)


def root(config: DataConfig) -> Path:
    """The folder that holds the data sets: the config's, else $NASD_DATA, else the user's cache folder."""
    if config.root is not None:
        return config.root.expanduser()
    return Path(os.environ.get("NASD_DATA") or platformdirs.user_cache_dir("nasd")).expanduser()


def is_there(config: DataConfig) -> bool:
    """Whether a data set's files are in the config's folder; nothing is downloaded."""
    try:
        if config.name in LABELLED:
            return bool(LABELLED[config.name].listing(root(config), config).paths)
        return all(path.exists() for path in source_of(config).files(root(config), config))
    except DataMissingError:
        return False
