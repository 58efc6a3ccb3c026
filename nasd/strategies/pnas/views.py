"""What clients see of a progressive search: its levels, their cells, and how well they were predicted."""

from typing import Literal

from nasd.protocol.pnas import CellRow, Cells, CellsParams, Level, Levels, Outcomes, OutcomesParams
from nasd.protocol.wire import MAX_PAGE, Empty
from nasd.spaces.cells import CellSpace
from nasd.strategies.pnas.payload import Candidate
from nasd.strategies.pnas.strategy import PNAS


def levels(strategy: PNAS, space: CellSpace, params: Empty) -> Levels:
    """All levels that are known."""
    progress = strategy.progress()
    return Levels(
        levels=tuple(
            Level(
                blocks=level.blocks,
                size=len(level.cells),
                done=progress.stages[level.blocks - 1].done,
                scored=level.scored,
                correlation=strategy.correlation(level.blocks),
                best=max((reward for _, reward in strategy.rewards(level.blocks)), default=None),
                scores=level.scores,
            )
            for level in strategy.levels
        ),
        blocks=strategy.blocks,
        space=f"{space.count(strategy.blocks):,}",
        surrogate=strategy.search.surrogate,
        acquisition=strategy.search.acquisition,
        k=strategy.search.k,
    )


def cells(strategy: PNAS, space: CellSpace, params: CellsParams) -> Cells:
    """A page of a level's cells."""
    blocks = _level(strategy, params.blocks)
    ranked = strategy.levels[blocks - 1].cells
    walked = strategy.walked if blocks == len(strategy.levels) else len(ranked)
    order = [*range(walked, len(ranked)), *range(walked)]
    offset, limit = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
    trials = strategy.trials()
    rows = tuple(_row(place + 1, ranked[place], place >= walked, trials) for place in order[offset : offset + limit])
    return Cells(blocks=blocks, total=len(ranked), offset=offset, cells=rows)


def outcomes(strategy: PNAS, space: CellSpace, params: OutcomesParams) -> Outcomes:
    """Prediction and outcome of a level's evaluated cells."""
    blocks = _level(strategy, params.blocks)
    pairs = strategy.outcomes(blocks)
    step = -(-len(pairs) // MAX_PAGE) or 1
    return Outcomes(blocks=blocks, pairs=tuple(pairs[::step]), correlation=strategy.correlation(blocks))


def _level(strategy: PNAS, blocks: int) -> int:
    newest = len(strategy.levels)
    return blocks if 1 <= blocks <= newest else newest


def _row(rank: int, cell: Candidate, to_come: bool, trials: dict[str, tuple[int, float | None]]) -> CellRow:
    trial, reward = trials.get(cell.net, (None, None))
    known: Literal["open", "done", "failed"] = "open" if reward is None else "done" if reward > 0 else "failed"
    state: Literal["next", "open", "done", "failed"] = "next" if to_come or trial is None else known
    return CellRow(
        rank=rank, net=cell.net, state=state, prediction=cell.prediction, spread=cell.spread, trial=trial, reward=reward
    )


METHODS = {"pnas.levels": levels, "pnas.cells": cells, "pnas.outcomes": outcomes}
"""What the daemon answers for a progressive search, by method of the protocol."""
