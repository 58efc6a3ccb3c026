"""What a search has learned, for clients: worked out in a thread, in bounded time, and once for each newest trial."""

import asyncio
from pathlib import Path
from typing import Any, get_args

import numpy as np

from nasd.daemon.history import WINDOW
from nasd.protocol import (
    CurvePoint,
    Decision,
    Front,
    FrontAxis,
    FrontTrial,
    Insight,
    Level,
    Record,
    StageRewards,
)
from nasd.runs.collected import Collected
from nasd.runs.insight import front, rolling
from nasd.spaces.base import Space
from store import Run

BUDGET = 1.0  # seconds of one request that go into reading trials that were not read yet
MOST_POINTS = 1000
MOST_OF_FRONT = 100
MOST_RECORDS = 200


class Insights:
    """Reads a run on a connection of its own. One request is worked on at a time; the others wait for it.

    Args:
        directory: The run.
        space: Its.
    """

    def __init__(self, directory: Path, space: Space[Any]) -> None:
        self._directory = directory
        self._collected = Collected(space)
        self._one = asyncio.Lock()
        self._answered: tuple[tuple[int, int, int], Insight] | None = None

    async def answer(self, points: int, stages: tuple[StageRewards, ...]) -> Insight:
        """All that is known by now.

        Args:
            points: Of the curve and of each cloud, at most.
            stages: As they are shown.

        Raises:
            StoreError: The run cannot be read.
        """
        async with self._one:
            return await asyncio.to_thread(self._answer, max(2, min(points, MOST_POINTS)), stages)

    def _answer(self, points: int, stages: tuple[StageRewards, ...]) -> Insight:
        with Run.open(self._directory) as run:
            count = run.count()
            self._collected.read(run, BUDGET)
            key = (count, self._collected.order, points)
            if self._answered is None or self._answered[0] != key:
                self._answered = (key, self._made(run, count, points, stages))
        return self._answered[1]

    def _made(self, run: Run, count: int, points: int, stages: tuple[StageRewards, ...]) -> Insight:
        found = self._collected.importances()
        curve, records = _curve(run, points)
        return Insight(
            read=min(self._collected.order, count),
            of=count,
            window=WINDOW,
            curve=curve,
            records=records,
            fronts=tuple(self._front(run, axis, points) for axis in get_args(FrontAxis)),
            r2=found.r2,
            rows=found.rows,
            decisions=tuple(
                Decision(
                    name=worth.name,
                    importance=worth.importance,
                    spread=worth.spread,
                    levels=tuple(
                        Level(label=one.label, count=one.count, effect=one.effect, error=one.error)
                        for one in worth.levels
                    ),
                )
                for worth in found.worths
            ),
            stages=stages,
        )

    def _front(self, run: Run, axis: FrontAxis, points: int) -> Front:
        costs, rewards = self._collected.costs(axis), np.array(self._collected.rewards)
        known = np.flatnonzero(np.isfinite(costs))
        chosen = known[front(costs[known], rewards[known])]
        trials = []
        for row in chosen[-MOST_OF_FRONT:]:  # the best ones, should there be more
            trial = run.trial(self._collected.numbers[row])
            if trial is not None:
                trials.append(
                    FrontTrial(trial=trial.number, net=trial.net, reward=trial.reward, cost=float(costs[row]))
                )
        shown = _evenly(len(known), points)
        cloud = tuple((float(costs[row]), float(rewards[row])) for row in known[shown])
        return Front(axis=axis, trials=tuple(trials), cloud=cloud)


def _evenly(count: int, most: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """At most `most` indices below `count`, evenly, the last one among them."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, most)).astype(int))


def _curve(run: Run, points: int) -> tuple[tuple[CurvePoint, ...], tuple[Record, ...]]:
    counted = run.rewards()
    rewards, numbers = np.array(counted.rewards), counted.numbers
    if not len(rewards):
        return (), ()
    best, means = np.maximum.accumulate(rewards), rolling(rewards, WINDOW)
    better = np.flatnonzero(np.concatenate([[True], best[1:] > best[:-1]]))[-MOST_RECORDS:]
    records = [trial for row in better if (trial := run.trial(numbers[row])) is not None]
    curve = (
        CurvePoint(trial=numbers[row], reward=float(rewards[row]), mean=float(means[row]), best=float(best[row]))
        for row in sorted({*_evenly(len(rewards), points).tolist(), *better.tolist()})
    )
    return tuple(curve), tuple(Record(trial=one.number, net=one.net, reward=one.reward) for one in records)
