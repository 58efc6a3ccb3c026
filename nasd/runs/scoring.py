"""Predictions of every cell of a number of blocks, from what a run has evaluated: in a stream, in constant memory."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from nasd import rooms
from nasd.config import PnasConfig
from nasd.errors import NasdError
from nasd.runs import changes
from nasd.seeding import derive
from nasd.spaces.cells import CellSpace
from nasd.spaces.cells.arrays import chunks, texts
from nasd.spaces.cells.cell import blocks_text
from nasd.strategies.pnas.ranking import CHUNK, rows, score
from nasd.strategies.pnas.surrogates import Surrogate, make
from store import Run

MOST_WRITTEN = 10_000_000
"""Cells, where all are to be written."""
MOST_SCORED = 200_000_000
"""Cells that are looked at: less than an hour of them."""

Tell = Callable[[int], None]
"""Told how many cells have been scored."""


class Scored(NamedTuple):
    """A cell and what is predicted of it."""

    net: str
    prediction: float
    spread: float


@dataclass(frozen=True)
class Scoring:
    """A fitted surrogate and the cells that it is asked about."""

    search: PnasConfig
    space: CellSpace
    surrogate: Surrogate
    blocks: int
    learned_from: int  # rows

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.space.count(self.blocks)

    def require_end(self, *, written: bool) -> None:
        """Raises NasdError if scoring them would not end, or writing all of them not fit a disk."""
        if self.count > MOST_SCORED:
            most, done, instead = MOST_SCORED, "scored", "fewer --blocks"
        elif written and self.count > MOST_WRITTEN:
            most, done, instead = MOST_WRITTEN, "written", "the best with --top"
        else:
            return
        raise NasdError(
            f"there are {self.count:,} cells of {blocks_text(self.blocks)}, at most {most:,} are {done}: "
            f"ask for {instead}, or leave out some --operators"
        )

    def best(self, top: int, tell: Tell) -> list[Scored]:
        """Those with the highest scores, ties in the order of their text; infeasible cells are left out."""
        found: list[tuple[float, str, Scored]] = []  # never replaced: `least` looks at it

        def least() -> float:
            return -found[-1][0] if len(found) == top else -np.inf

        for by, scored in self._scored(tell, least):
            new = ((-value, one.net, one) for value, one in zip(by, scored, strict=True))
            found[:] = heapq.nsmallest(top, [*found, *new])
        return [one for _, _, one in found]

    def every(self, tell: Tell) -> Iterator[Scored]:
        """Every feasible cell, in the order of cells."""
        for _, scored in self._scored(tell, lambda: -np.inf):
            yield from scored

    def _scored(self, tell: Tell, least: Callable[[], float]) -> Iterator[tuple[list[float], list[Scored]]]:
        """What the cells are ranked by, and the cells, in chunks; without those that are below `least`."""
        done, limited = 0, self.space.config.max_parameters is not None or self.space.config.max_operations is not None
        with threadpool_limits(1, user_api="blas"):
            for codes in self.space.enumerate(self.blocks):
                for part in chunks(codes, CHUNK):
                    by, mean, spread = score(self.search, self.surrogate, part)
                    kept = np.flatnonzero(by >= least())
                    nets = texts(part[kept])
                    if limited:
                        fit = [self.space.feasible(self.space.parse(net)) is None for net in nets]
                        kept, nets = kept[fit], [net for net, fits in zip(nets, fit, strict=True) if fits]
                    scored = map(Scored, nets, mean[kept].tolist(), spread[kept].tolist())
                    yield by[kept].tolist(), list(scored)
                    done += len(part)
                    tell(done)


def prepare(run: Run, blocks: int, operators: tuple[str, ...] = ()) -> Scoring:
    """Fit the run's surrogate to all that it has evaluated.

    Args:
        run: A search over cells, by whatever strategy.
        blocks: Of the cells, also more than the run's, up to `MAX_BLOCKS`.
        operators: Of the cells, each once; the run's unless given.

    Raises:
        NasdError: The run searches something else, or has evaluated nothing yet.
        ConfigError: The run's config cannot be read.
        StoreError: The run cannot be read.
    """
    config = changes.config_of(run)
    space = rooms.space(config)
    if not isinstance(space, CellSpace):
        raise NasdError(f"{run.path.name} does not search cells: there is nothing to score")
    search = config.search if isinstance(config.search, PnasConfig) else PnasConfig()
    trials = [trial for trial in run.trials() if trial.counted]
    if not trials:
        raise NasdError(f"{run.path.name} has evaluated no cell yet: predictions need some")
    wanted = {"blocks": blocks, **({"operators": operators} if operators else {})}
    with threadpool_limits(1, user_api="blas"):
        surrogate = make(
            search,
            rows(space, [(trial.net, trial.reward) for trial in trials]),
            derive(config.seed, f"surrogate of level {blocks}"),
            lambda _done, _of: None,
        )
    return Scoring(search, CellSpace(space.config.model_copy(update=wanted)), surrogate, blocks, len(trials))
