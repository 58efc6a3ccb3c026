"""Cells as numbers for surrogates, the same number for any number of blocks.

Sources are told apart as far as the space has them: h-1, h-2, ..., b1, b2, ... A surrogate that was fitted on cells of
few blocks therefore takes larger ones as they are.

Shares alone cannot tell a cell whose blocks are all the same from one of different blocks with the same terms. The
difference is large: equal blocks of random or no weights compute next to nothing new. So variety is described, too.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import OWN, TERMS, Codes
from nasd.spaces.cells.cell import FIRST_BLOCK, OPERATORS

SOURCES = TERMS // len(OPERATORS)
PLACES = FIRST_BLOCK + 1  # h-1, h-2, ..., and one for all blocks of the cell itself
WIDTH = SOURCES + len(OPERATORS) + PLACES * len(OPERATORS)
VARIETY = 3


def _table() -> NDArray[np.float64]:
    table = np.zeros((TERMS, WIDTH))
    for code in range(TERMS):
        source, operator = divmod(code, len(OPERATORS))
        table[code, source] = 1
        table[code, SOURCES + operator] = 1
        place = min(code, OWN + operator)
        table[code, SOURCES + len(OPERATORS) + place] = 1
    return table


TABLE = _table()
"""(TERMS, WIDTH): of a term, its source, its operator, and both together, each as one of many."""


def shares(codes: Codes) -> NDArray[np.float64]:
    """Which share of a cell's terms has which source, operator, and both: (n, WIDTH)."""
    count, blocks, _ = codes.shape
    out = np.zeros((count, WIDTH))
    for term in codes.reshape(count, 2 * blocks).T:
        out += TABLE[term]
    out /= 2 * blocks
    return out


def variety(codes: Codes) -> NDArray[np.float64]:
    """Shares of different terms, of different blocks, and of blocks of two equal terms: (n, VARIETY)."""
    count, blocks, _ = codes.shape
    pairs = codes[..., 0] * np.uint16(256) + codes[..., 1]
    return np.stack(
        [
            _different(codes.reshape(count, 2 * blocks)) / (2 * blocks),
            _different(pairs) / blocks,
            (codes[..., 0] == codes[..., 1]).mean(1),
        ],
        axis=1,
    )


def described(codes: Codes) -> NDArray[np.float64]:
    """Shares and variety, (n, WIDTH + VARIETY)."""
    return np.concatenate([shares(codes), variety(codes)], axis=1)


def _different(values: NDArray[Any]) -> NDArray[np.int64]:
    """How many different values each row has, (n,)."""
    ordered = np.sort(values, axis=1)
    different: NDArray[np.int64] = 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
    return different
