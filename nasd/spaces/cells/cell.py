"""Cells: blocks of two operators each, and how they are written."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nasd.config.cells import CellsConfig

if TYPE_CHECKING:
    from nasd.spaces.cells.skeleton import Skeleton

OPERATORS = ("id", "sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "avg3x3", "max3x3", "dil3x3", "conv3x3")
"""Every operator, in the order in which cells are compared; a config chooses from them and changes no order."""

MAX_LOOKBACK = 9  # h-1 ... h-9
MAX_BLOCKS = 10
FIRST_BLOCK = MAX_LOOKBACK  # the source that is block 1


class Term(NamedTuple):
    """An operator and what it reads. Terms are ordered by source, then by operator."""

    source: int  # 0: the cell before (h-1), 1: the one before that (h-2), ...; FIRST_BLOCK + i: block i, from 0
    operator: int  # index into OPERATORS

    @property
    def block(self) -> int | None:
        """The block that it reads, from 0; None: an earlier cell."""
        return self.source - FIRST_BLOCK if self.source >= FIRST_BLOCK else None

    @property
    def name(self) -> str:
        """The operator's."""
        return OPERATORS[self.operator]

    def __str__(self) -> str:
        return f"{source_text(self.source)} {self.name}"


Block = tuple[Term, Term]


@dataclass(frozen=True, order=True)
class Cell:
    """Blocks, each of which reads earlier cells and blocks before it; a space makes cells in canonical form only.

    Attributes:
        blocks: Their order, term by term, is that of cells.
        config: The skeleton of the network that is made of it.
    """

    blocks: tuple[Block, ...]
    config: CellsConfig = field(compare=False, repr=False)

    @property
    def num_classes(self) -> int:
        """Outputs of the final classifier."""
        return self.config.num_classes

    @property
    def embedding_dim(self) -> int:
        """Values of the globally pooled output for one image."""
        return self.skeleton.shape.channels

    @cached_property
    def skeleton(self) -> "Skeleton":
        """The network, all sizes known."""
        from nasd.spaces.cells.skeleton import skeleton  # noqa: PLC0415 - which is made of cells

        return skeleton(self)

    def __str__(self) -> str:
        return f"cell[{', '.join(f'({first}, {second})' for first, second in self.blocks)}]"


def source_text(source: int) -> str:
    """`h-1`, `h-2`, ... for earlier cells, `b1`, `b2`, ... for blocks of this cell."""
    return f"b{source - FIRST_BLOCK + 1}" if source >= FIRST_BLOCK else f"h-{source + 1}"


def blocks_text(blocks: int) -> str:
    """`1 block`, `2 blocks`, ..."""
    return "1 block" if blocks == 1 else f"{blocks} blocks"


def blocks_read(blocks: tuple[Block, ...]) -> frozenset[int]:
    """The blocks that others read, from 0."""
    return frozenset(term.block for block in blocks for term in block if term.block is not None)
