"""What a source of images has to offer, and the errors that they raise. No torch: a daemon asks sources too."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nasd.config import DataConfig
from nasd.errors import DataMissingError


class Description(NamedTuple):
    """What a search space needs to know of a data set."""

    image_size: int  # side in pixels; images are square
    channels: int
    num_classes: int


@dataclass(frozen=True)
class Part:
    """Images (N, C, H, W) uint8 and labels (N,) int64 of one part of a data set, in the data set's own order."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Raw:
    """A data set as it lies on disk; `validation` only where it brings its own."""

    train: Part
    test: Part
    classes: tuple[str, ...]
    transforms: tuple[str, ...] = ()
    validation: Part | None = None


class Source(Protocol):
    """One data set. `root` is the folder that holds data sets; it may be read-only.

    Every method raises DataMissingError where files are missing (and cannot be fetched) or damaged.
    """

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape before `config.image_size` is applied, without reading images."""
        ...

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Make sure that the files are there, downloading them where that is possible."""
        ...

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """The files that `read` reads, as they are there now; those that tell whether the data changed."""
        ...

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read everything."""
        ...


@dataclass(frozen=True)
class LabelledFiles:
    """Image files of one part, and what is on them: (N, L) bool, a column for each label."""

    paths: tuple[Path, ...]
    labels: NDArray[np.bool_]


@dataclass(frozen=True)
class Listing:
    """A data set of several labels per image, listed; `validation` only where it brings its own."""

    train: LabelledFiles
    test: LabelledFiles
    classes: tuple[str, ...]  # the labels' names
    validation: LabelledFiles | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of all images: those of the training, the test and the validation part."""
        own = () if self.validation is None else self.validation.paths
        return (*self.train.paths, *self.test.paths, *own)


class LabelledSource(Protocol):
    """A data set of several labels per image; errors as those of `Source`."""

    def listing(self, root: Path, config: DataConfig) -> Listing:
        """All files and labels, checked; no image is opened."""
        ...


def damaged(path: Path, fault: str) -> DataMissingError:
    """The error for a file that is there but not what it should be."""
    return DataMissingError(f"{path} is damaged: {fault}; remove it, or put a good copy in its place")


def faulty(path: Path, fault: str) -> DataMissingError:
    """The error for a list of images and labels in which something is wrong."""
    return DataMissingError(f"{path}: {fault}; correct it there")
