"""Which cells come next: expansions of the last level, ranked by a surrogate, cut at K."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.config import PnasConfig
from nasd.spaces.cells import CellSpace
from nasd.spaces.cells.arrays import Codes, chunks, encode, keys, texts
from nasd.strategies.pnas.surrogates import Rows, Surrogate, Tell

CHUNK = 8192  # cells that are scored at a time
BINS = 20  # of the distribution of predictions
DIGITS = 6  # to which scores are compared


class Ranked(NamedTuple):
    """A cell and what is predicted of it."""

    net: str
    prediction: float
    spread: float


class Ranking(NamedTuple):
    """The best cells, and how the predictions of all are distributed."""

    best: list[Ranked]
    scores: tuple[float, float, tuple[int, ...]] | None  # lowest and highest, and counts in `BINS` equal bins


def rows(space: CellSpace, observed: Iterable[tuple[str, float]]) -> Rows:
    """What a surrogate learns from, of cells as they are written and their rewards."""
    pairs = list(observed)
    codes = [encode([space.parse(net)])[0] for net, _ in pairs]
    return Rows(codes, np.array([reward for _, reward in pairs], np.float64))


def children(space: CellSpace, parents: Iterable[str], known: Iterable[str] = ()) -> Codes:
    """The different cells with one block more than their parents, ascending, without the known ones."""
    cells = encode([space.parse(net) for net in parents])
    parts = [space.canonical_codes(codes) for codes in space.expansions(cells)]
    found = np.concatenate(parts)
    _, first = np.unique(keys(found), return_index=True)
    found = found[first]
    taken = [space.parse(net) for net in known]
    return found[~np.isin(keys(found), keys(encode(taken)))] if taken else found


class Scores(NamedTuple):
    """Of some cells; all (n,)."""

    by: NDArray[np.float64]  # what they are ranked by
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


def score(config: PnasConfig, surrogate: Surrogate, codes: Codes) -> Scores:
    """What a surrogate makes of cells."""
    mean, spread = surrogate.predict(codes)
    by = mean + config.ucb_weight * spread if config.acquisition == "ucb" else mean
    return Scores(np.round(by, DIGITS), mean, spread)


def best(
    config: PnasConfig, space: CellSpace, surrogate: Surrogate, codes: Codes, wanted: int | None, tell: Tell
) -> Ranking:
    """The feasible cells with the highest scores, ties in the order of their text."""
    parts = []
    for part in chunks(codes, CHUNK):
        parts.append(score(config, surrogate, part))
        tell(min(len(parts) * CHUNK, len(codes)), len(codes))
    by, mean, spread = (np.concatenate([np.zeros(0), *column]) for column in zip(*parts, strict=True))
    chosen: list[Ranked] = []
    for row, net in _in_order(codes, by):
        if wanted is not None and len(chosen) == wanted:
            break
        if space.feasible(space.parse(net)) is None:
            chosen.append(Ranked(net, float(mean[row]), float(spread[row])))
    return Ranking(chosen, _distribution(np.round(mean, DIGITS)))


def _distribution(scores: NDArray[np.float64]) -> tuple[float, float, tuple[int, ...]] | None:
    if not len(scores):
        return None
    counts, edges = np.histogram(scores, BINS)
    return float(edges[0]), float(edges[-1]), tuple(counts.tolist())


def _in_order(codes: Codes, by: NDArray[np.float64]) -> Iterator[tuple[int, str]]:
    """(row, text) from the best on; only the texts of those that are looked at are made."""
    order = np.argsort(-by, kind="stable")
    ends = [0, *(np.flatnonzero(np.diff(by[order])) + 1).tolist(), len(order)]
    for begin, end in pairwise(ends):
        equal = order[begin:end]
        yield from sorted(zip(equal.tolist(), texts(codes[equal]), strict=True), key=lambda pair: pair[1])
