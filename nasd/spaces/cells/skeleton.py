"""The network that is made of a cell: how often it comes, in what sizes, and what each of them reads.

A stem, then stages of equal cells; between stages a cell of stride 2 halves the image and doubles the filters (PNAS,
arXiv 1712.00559, figure 1). A cell first makes what it reads equal: `filters` channels, and the size of the output of
the cell before, by a 1x1 convolution or, where an earlier output is larger, a factorised reduction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nasd.config.cells import CellsConfig
from nasd.spaces.cells.cell import Cell, Term
from nasd.spaces.cells.operators import Conv, Operation, operation

LARGE = 64  # pixels a side from which the stem halves the image, once or several times
SMALL = 4  # pixels a side that reductions leave, where the config does not say how many there are
REDUCTIONS = 2  # at most, then


@dataclass(frozen=True, slots=True)
class Shape:
    """Of an output for one image, which is square."""

    channels: int
    size: int  # pixels a side


@dataclass(frozen=True, slots=True)
class Alignment:
    """How an input is made equal: ReLU, 1x1 convolution, batch norm.

    Where the input is larger by `stride`, two convolutions side by side, the second one of the image shifted by half of
    that (the factorised reduction of NASNet, arXiv 1707.07012), so that more of its pixels count.
    """

    shape: Shape  # of its output
    convs: tuple[Conv, ...]  # one, or two whose outputs are concatenated
    stride: int

    @property
    def parameters(self) -> int:
        """Weights."""
        return sum(conv.parameters for conv in self.convs)

    @property
    def multiply_adds(self) -> int:
        """For one image."""
        return self.parameters * self.shape.size**2


@dataclass(frozen=True, slots=True)
class Place:
    """One cell of the network."""

    filters: int
    stride: int
    inputs: tuple[int, ...]  # what h-1, h-2, ... are: 0 the stem's output, 1 that of the first cell, ...
    alignments: tuple[Alignment | None, ...]  # of each input; None: the cell does not read it
    operations: tuple[tuple[Operation, Operation], ...]  # of each block
    size: int  # of what its operators read
    shape: Shape  # of its output


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A whole network, all sizes known."""

    stem: Conv | None  # a convolution and batch norm; None: the first cell reads the image
    stem_shape: Shape
    places: tuple[Place, ...]

    @property
    def shape(self) -> Shape:
        """What the global pooling reads."""
        return self.places[-1].shape


def skeleton(cell: Cell) -> Skeleton:
    """The network of a cell for its config's images."""
    config = cell.config
    stride = stem_stride(config)
    stem = None
    shape = Shape(config.channels, config.patch_size)
    if config.stem > 0:
        stem = Conv(config.channels, config.stem * config.filters, (3, 3), (stride, stride))
        shape = Shape(stem.outputs, -(-config.patch_size // stride))
    outputs = [shape]
    places = []
    for filters, step in _sequence(config):
        inputs = tuple(max(len(outputs) - 1 - back, 0) for back in range(config.lookback))
        place = _place(cell, config, filters, step, inputs, [outputs[index] for index in inputs])
        places.append(place)
        outputs.append(place.shape)
    return Skeleton(stem, shape, tuple(places))


def stem_stride(config: CellsConfig) -> int:
    """Of the first convolution: images of 64 pixels and more become smaller than that."""
    if config.stem_stride is not None:
        return config.stem_stride
    stride = 1
    while config.patch_size >= LARGE * stride:
        stride *= 2
    return stride


def reductions(config: CellsConfig) -> int:
    """How often cells halve the image: twice, where that leaves enough of it."""
    if config.reductions is not None:
        return config.reductions
    size = config.patch_size
    if config.stem > 0:
        size = -(-size // stem_stride(config))
    times = 0
    while times < REDUCTIONS and -(-size // 2) >= SMALL:
        size, times = -(-size // 2), times + 1
    return times if config.repeats > 0 else max(times, 1)  # a network has at least one cell


def _sequence(config: CellsConfig) -> list[tuple[int, int]]:
    """(filters, stride) of each cell."""
    cells = [(config.filters, 1)] * config.repeats
    for stage in range(1, reductions(config) + 1):
        filters = config.filters * 2**stage
        further = config.repeats - (config.reduce == "first")
        cells += [(filters, 2), *[(filters, 1)] * further]
    return cells


def _place(
    cell: Cell, config: CellsConfig, filters: int, stride: int, inputs: tuple[int, ...], shapes: Sequence[Shape]
) -> Place:
    read = {term.source for block in cell.blocks for term in block if term.block is None}
    size = shapes[0].size
    alignments = tuple(_alignment(shape, filters, size) if back in read else None for back, shape in enumerate(shapes))
    width = filters * (1 if config.combine == "add" else 2)  # of a block

    def of(term: Term) -> Operation:
        from_cell = term.block is None
        return operation(term.name, filters if from_cell else width, filters, stride if from_cell else 1)

    operations = tuple((of(first), of(second)) for first, second in cell.blocks)
    shape = Shape(width * len(cell.blocks), -(-size // stride))
    return Place(filters, stride, inputs, alignments, operations, size, shape)


def _alignment(shape: Shape, filters: int, size: int) -> Alignment:
    stride = 1
    while -(-shape.size // stride) > size:
        stride *= 2
    parts = (filters,) if stride == 1 or filters == 1 else (filters // 2, filters - filters // 2)
    convs = tuple(Conv(shape.channels, part, stride=(stride, stride)) for part in parts)
    return Alignment(Shape(filters, size), convs, stride)
