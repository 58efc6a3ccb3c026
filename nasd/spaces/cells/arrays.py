"""Many cells at once: arrays (cells, blocks, 2) of uint8, a term of which is `source * len(OPERATORS) + operator`.

Compared byte by byte, rows are in the order of cells.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.cell import FIRST_BLOCK, MAX_BLOCKS, OPERATORS, Block, Cell, Term

Codes = NDArray[np.uint8]
Integer = TypeVar("Integer", bound=np.integer[Any])

TERMS = (FIRST_BLOCK + MAX_BLOCKS - 1) * len(OPERATORS)  # codes that there are
OWN = FIRST_BLOCK * len(OPERATORS)  # the first code of a term that reads a block
FREE = 255  # the number of a block that has none yet
NOT_YET = np.uint16(2**16 - 1)
CHUNK = 1 << 15  # cells that are worked on at a time


def code(term: Term) -> int:
    """The code of a term."""
    return term.source * len(OPERATORS) + term.operator


def encode(cells: Sequence[Cell]) -> Codes:
    """Cells of equally many blocks, as an array (n, blocks, 2)."""
    return encode_blocks([cell.blocks for cell in cells])


def encode_blocks(cells: Sequence[tuple[Block, ...]]) -> Codes:
    """The same, of their blocks."""
    return np.array([[[code(term) for term in block] for block in blocks] for blocks in cells], np.uint8)


def decode(codes: Codes) -> list[tuple[Block, ...]]:
    """The blocks of the cells of an array."""
    return [_blocks(row) for row in codes.tolist()]


def texts(codes: Codes) -> list[str]:
    """The cells of an array as they are written, 1 to 2 million a second."""
    words = _block_texts()
    pairs = np.ascontiguousarray(codes).view(">u2")[..., 0].tolist()
    return [f"cell[{', '.join([words(pair) for pair in row])}]" for row in pairs]


def keys(codes: Codes) -> NDArray[np.bytes_]:
    """A row's bytes, (n,): they compare as cells do."""
    blocks = codes.shape[1]
    return np.ascontiguousarray(codes).reshape(len(codes), 2 * blocks).view(f"S{2 * blocks}")[:, 0]


def choices(lookback: int, operators: Sequence[int], block: int, *, flat: bool = False) -> Codes:
    """What block number `block` (from 0) may be, ascending: (m, 2) pairs of terms of earlier cells and blocks."""
    sources = [*range(lookback), *([] if flat else range(FIRST_BLOCK, FIRST_BLOCK + block))]
    terms = [code(Term(source, operator)) for source in sources for operator in sorted(operators)]
    pairs = [(first, second) for at, first in enumerate(terms) for second in terms[at:]]
    return np.array(pairs, np.uint8).reshape(-1, 2)


def expanded(parents: Codes, choices: Codes) -> Codes:
    """Every cell with every choice of one more block, parents outermost: (n * m, blocks + 1, 2)."""
    count, blocks, _ = parents.shape
    children = np.empty((count, len(choices), blocks + 1, 2), np.uint8)
    children[:, :, :blocks] = parents[:, None]
    children[:, :, blocks] = choices
    return children.reshape(-1, blocks + 1, 2)


def read_counts(codes: Codes) -> NDArray[np.int64]:
    """How many blocks of each cell others read, (n,)."""
    source = codes // len(OPERATORS)
    return sum(
        ((source == FIRST_BLOCK + block).any((1, 2)).astype(np.int64) for block in range(codes.shape[1] - 1)),
        np.zeros(len(codes), np.int64),
    )


def canonical_codes(codes: Codes) -> Codes:
    """`canonical` of every row: the same search, one block of all cells at a time."""
    count, blocks, _ = codes.shape
    least = np.empty((count, blocks), np.uint16)
    rows = np.arange(count)  # of what is followed: the cell, and the new number of each of its blocks
    numbers = np.full((count, blocks), FREE, np.uint8)
    reads = _reads(codes)
    for position in range(blocks):
        values = _renumbered(codes[rows], numbers)
        begins = np.flatnonzero(np.diff(rows, prepend=-1))  # every cell is followed at least once
        least[:, position] = np.minimum.reduceat(values.min(1), begins)
        followed, chosen = np.nonzero(values == least[rows, position][:, None])
        rows, numbers = rows[followed], numbers[followed]
        numbers[np.arange(len(rows)), chosen] = position
        if len(rows) > count:
            kept = _different_futures(rows, numbers, reads[rows])
            rows, numbers = rows[kept], numbers[kept]
    return np.stack([least >> 8, least & 255], axis=2).astype(np.uint8)


def canonical_flat_codes(codes: Codes) -> Codes:
    """`canonical_flat` of every row."""
    count, blocks, _ = codes.shape
    return np.sort(codes.reshape(count, 2 * blocks), axis=1).reshape(count, blocks, 2)


def chunks(codes: NDArray[Integer], size: int) -> Iterator[NDArray[Integer]]:
    """An array in parts of at most `size` rows."""
    for start in range(0, len(codes), max(size, 1)):
        yield codes[start : start + max(size, 1)]


def _renumbered(codes: Codes, numbers: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Both terms of every block as one value, (n, blocks), the blocks that it reads renumbered.

    NOT_YET is the value of a block that has its number, or reads a block that has none.
    """
    count = len(codes)
    read = np.maximum(codes, OWN) - OWN
    number = np.take_along_axis(numbers, read.reshape(count, -1) // len(OPERATORS), 1).reshape(codes.shape)
    renumbered = OWN + number.astype(np.uint16) * len(OPERATORS) + read % len(OPERATORS)
    renumbered = np.where(codes >= OWN, renumbered, codes)
    first, second = renumbered.min(2), renumbered.max(2)
    return np.where((numbers == FREE) & (second < TERMS), first * 256 + second, NOT_YET)


def _reads(codes: Codes) -> NDArray[np.bool_]:
    """Whether block i reads block j, (n, blocks, blocks)."""
    source = codes // len(OPERATORS)
    return np.stack([(source == FIRST_BLOCK + block).any(2) for block in range(codes.shape[1])], axis=2)


def _different_futures(
    rows: NDArray[np.int64], numbers: NDArray[np.uint8], reads: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Of those that end in the same list (see `canonical`) the first."""
    left = numbers == FREE
    wanted = (reads & left[:, :, None]).any(1)
    shown = np.where(left | wanted, numbers, FREE - 1)
    both = np.concatenate([rows.astype(">u4").view(np.uint8).reshape(len(rows), 4), shown], axis=1)
    _, first = np.unique(both.view(f"V{both.shape[1]}")[:, 0], return_index=True)
    return np.sort(first)


def _blocks(row: list[list[int]]) -> tuple[Block, ...]:
    return tuple((_term(first), _term(second)) for first, second in row)


@cache
def _term(code: int) -> Term:
    return Term(*divmod(code, len(OPERATORS)))


@cache
def _block_texts() -> Callable[[int], str]:
    return cache(lambda pair: f"({_term(pair >> 8)}, {_term(pair & 255)})")
