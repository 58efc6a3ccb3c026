"""What a loaded data set is."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from nasd.data._fingerprint import Fingerprint


@dataclass(frozen=True)
class ImageSplit:
    """Samples of one split.

    Attributes:
        images: (N, C, H, W) uint8, 0 to 255.
        labels: (N,) int64.
        index: (N,) int64, each sample's place in the part it came from: the data set's training part for train and
            validation (its own validation part where an image folder has one), its test part for test.
    """

    images: Tensor
    labels: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> Self:
        """The samples at `rows` (int64), in that order."""
        return type(self)(self.images[rows], self.labels[rows], self.index[rows])

    def to(self, device: torch.device | str) -> Self:
        """The same samples on `device`."""
        return type(self)(self.images.to(device), self.labels.to(device), self.index.to(device))


@dataclass(frozen=True)
class Data:
    """A data set, split. The encoder reads images as float32 in [0, 1]; `transforms` says what was done to them."""

    name: str
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    classes: tuple[str, ...]
    transforms: tuple[str, ...]
    identity: Fingerprint | None = None  # where somebody asked for it

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def image_size(self) -> int:
        """Side of the (square) images in pixels."""
        return self.train.images.shape[-1]

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.train.images.shape[1]

    @property
    def images_nbytes(self) -> int:
        """Memory that the images take, in bytes."""
        return sum(split.images.nbytes for split in self.splits.values())

    @property
    def splits(self) -> dict[str, ImageSplit]:
        """The splits by their stored names."""
        return {"train": self.train, "val": self.validation, "test": self.test}

    def to(self, device: torch.device | str) -> Self:
        """The same data on `device`."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )


class Images(Protocol):
    """Images that may be in memory or not: indexed by row numbers (int64), they come as (N, C, H, W) uint8."""

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """The images of these rows, in that order."""
        ...


@dataclass(frozen=True)
class StreamedSplit:
    """One split whose images are fetched as they are needed; index as in `ImageSplit`.

    Attributes:
        labels: (N,) int64, or (N, L) bool where an image has several labels, or none.
    """

    images: Images
    labels: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Self:
        """The same samples with their labels on `device`, and the images where they are."""
        return replace(self, labels=self.labels.to(device))


@dataclass(frozen=True)
class Streamed:
    """A data set of any size, split; what is said of `Data` holds."""

    name: str
    train: StreamedSplit
    validation: StreamedSplit
    test: StreamedSplit
    classes: tuple[str, ...]
    transforms: tuple[str, ...]
    image_size: int
    channels: int
    images_nbytes: int = 0  # of images that are kept in memory
    identity: Fingerprint | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes, or of labels."""
        return len(self.classes)

    @property
    def splits(self) -> dict[str, StreamedSplit]:
        """The splits by their stored names."""
        return {"train": self.train, "val": self.validation, "test": self.test}

    def to(self, device: torch.device | str) -> Self:
        """The same data with the labels on `device`; images come as they are asked for."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )
