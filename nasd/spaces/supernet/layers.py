"""What a network of this space is made of, in numbers: enough to count, to draw and to build it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

UnitKind = Literal["residual", "residual_v2", "dense", "improvement"]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution without bias, padded to keep the size of an image at stride 1. Binary: weights and inputs are."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1
    binary: bool = False

    @property
    def weights(self) -> int:
        """How many it has."""
        return self.outputs * self.values

    @property
    def values(self) -> int:
        """How many products each output is the sum of."""
        return self.inputs // self.groups * self.kernel**2


@dataclass(frozen=True, slots=True)
class Path:
    """What a unit does under one choice: its convolutions, and the channels of its batch norms, in order."""

    convs: tuple[Conv, ...] = ()
    norms: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of the network with a choice. `paths` has an entry for each choice, the base's own first.

    Attributes:
        shared: All paths have the same weights; else each path has its own.
    """

    kind: UnitKind
    label: str
    inputs: int
    outputs: int
    stride: int
    size: int  # side of its output
    paths: Mapping[str, Path]
    shared: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be chosen."""
        return tuple(self.paths)


@dataclass(frozen=True, slots=True)
class Transition:
    """Batch norm, max pooling 2x2, ReLU, 1x1 convolution; where that is grouped, channels are shuffled after it."""

    label: str
    conv: Conv
    size: int

    @property
    def norms(self) -> tuple[int, ...]:
        """Channels of its batch norm."""
        return (self.conv.inputs,)


@dataclass(frozen=True, slots=True)
class Stem:
    """Convolutions, batch norm and ReLU after each but a single one, then perhaps max pooling 3x3 with stride 2."""

    label: str
    convs: tuple[Conv, ...]
    norms: tuple[int, ...]
    pool: bool
    size: int


@dataclass(frozen=True, slots=True)
class Head:
    """Perhaps batch norm, ReLU, global average pooling, and a linear layer with bias."""

    norm: bool
    features: int
    classes: int

    @property
    def parameters(self) -> int:
        """Of the linear layer."""
        return self.features * self.classes + self.classes


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A network with all its choices."""

    stem: Stem
    steps: tuple[Unit | Transition, ...]
    head: Head

    @property
    def units(self) -> tuple[Unit, ...]:
        """The parts with a choice, in the order of an architecture's choices."""
        return tuple(step for step in self.steps if isinstance(step, Unit))
