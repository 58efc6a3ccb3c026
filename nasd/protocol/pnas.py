"""What only a progressive search has: its levels, and how well each of them was predicted."""

from typing import Literal

from nasd.protocol.wire import MAX_PAGE, Empty, Message, Method, Params, Whole


class Level(Message, frozen=True):
    """The cells of so many blocks."""

    blocks: int
    size: int  # cells that are evaluated
    done: int  # of them, those that counted
    scored: int  # different cells that were ranked for it
    correlation: float | None = None  # Spearman's, of prediction and outcome; None: too little is known
    best: float | None = None  # reward
    scores: tuple[float, float, tuple[int, ...]] | None = None  # lowest and highest prediction, counts in equal bins


class Levels(Message, frozen=True):
    """All levels that are known, and the search's numbers."""

    levels: tuple[Level, ...]
    blocks: int  # of the last level that there will be
    space: str  # cells of so many blocks that there are; too many for a number on the wire
    surrogate: str
    acquisition: str
    k: int | None = None  # cells of a level; None: all


class CellsParams(Params, frozen=True):
    """`pnas.cells`."""

    blocks: Whole = 0  # which level; 0: the newest
    offset: Whole = 0
    limit: Whole = MAX_PAGE


class CellRow(Message, frozen=True):
    """A cell of a level."""

    rank: int  # from 1, as it was predicted
    net: str
    state: Literal["next", "open", "done", "failed"]
    prediction: float | None = None
    spread: float | None = None
    trial: int | None = None
    reward: float | None = None


class Cells(Message, frozen=True):
    """A page of a level: first the cells that are to come, then the others, each by rank."""

    blocks: int
    total: int
    offset: int
    cells: tuple[CellRow, ...]


class OutcomesParams(Params, frozen=True):
    """`pnas.outcomes`."""

    blocks: Whole = 0  # which level; 0: the newest


class Outcomes(Message, frozen=True):
    """What was predicted of a level, and what came of it."""

    blocks: int
    pairs: tuple[tuple[float, float], ...]  # (prediction, reward), an even choice of at most `MAX_PAGE`
    correlation: float | None = None


METHODS = {
    "pnas.levels": Method(Empty, Levels),
    "pnas.cells": Method(CellsParams, Cells),
    "pnas.outcomes": Method(OutcomesParams, Outcomes),
}
