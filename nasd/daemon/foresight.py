"""What the trials to come are expected to be: the search is simulated once, beside the real one."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from nasd import rooms
from nasd.config import Config
from nasd.daemon.history import EVALUATED, History
from nasd.errors import NasdError
from nasd.outcome import rungs_in
from nasd.runs.plan import Images, expected_images, works
from nasd.runs.remaining import Open, Works
from nasd.spaces.base import Space
from nasd.strategies.base import Proposal
from store import Trial

log = logging.getLogger("nasd.daemon")

MOST = 5000  # trials that count: longer searches are not simulated, which would take minutes
RECALLED = 1000  # trials of earlier daemons, by which the end is estimated before others have ended
REST = 0.003  # seconds after each simulated trial, in which the daemon has its interpreter for itself


class _StoppedError(Exception):
    """The simulation is not needed any more."""


class Foresight:
    """Weighs architectures, and simulates the search.

    Args:
        space: Of the architectures.
        history: Is given what the simulation finds.
    """

    def __init__(self, space: Space[Any], history: History) -> None:
        self._space, self._history = space, history
        self._task: asyncio.Task[None] | None = None
        self._config: Config | None = None  # that was simulated last
        self._simulated: Mapping[str, Works] = {}
        self._images: Images | None = None  # once a trial has said so
        self._share = 1.0  # of them that an evaluation is expected to encode, by the config's rungs
        self.gflop = lru_cache(1000)(self._gflop)
        """GFLOP of an architecture for one image; 0 where a trial is no architecture, such as a supernet's epoch."""

    def _gflop(self, net: str) -> float:
        try:
            return self._space.graph(self._space.parse(net)).gflops
        except NasdError:
            return 0.0

    def open(self, proposals: Sequence[Proposal]) -> list[Open]:
        """What is under way."""
        return [
            Open(proposal.stage, self._share * self.gflop(proposal.net) if proposal.kind == "evaluate" else None)
            for proposal in proposals
        ]

    def finished(self, trial: Trial, seconds: float) -> None:
        """Take in how long a trial took: so many seconds since the one before it."""
        self._history.pace(
            trial.status,
            trial.stage,
            counted=trial.counted,
            seconds=seconds,
            worked=trial.seconds,
            gflop=self.gflop_of(trial),
        )

    def gflop_of(self, trial: Trial) -> float:
        """What a trial took, GFLOP for each image that there is: less than its network if it was stopped at a rung."""
        if trial.status not in EVALUATED:
            return 0.0
        gflop, rungs = self.gflop(trial.net), rungs_in(trial.metrics)
        if rungs is None or not rungs.splits:
            return gflop
        if self._images != rungs.splits:
            self._images = Images(*rungs.splits)
            self._tell()
        return gflop * rungs.images[-1] / sum(rungs.splits) if rungs.cut else gflop

    def recall(self, trials: Iterable[Trial]) -> None:
        """Take in how long earlier daemons' last trials took, in their order."""
        ended: float | None = None
        for trial in trials:
            if not trial.imported:
                self.finished(trial, trial.seconds if ended is None else max(0.0, trial.finished_at - ended))
                ended = trial.finished_at

    def look(self, config: Config) -> None:
        """Simulate the search of a config, from now on and instead of another."""
        if self._task is not None:
            self._task.cancel()
        self._config = config
        self._tell()
        self._task = asyncio.create_task(self._look(config), name="foresight")

    async def close(self) -> None:
        """End the simulation."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self, config: Config) -> None:
        total = rooms.strategy(config, self._space).progress().of
        if total is None or total > MOST:
            return
        stop = threading.Event()

        def rest() -> None:
            if stop.is_set():
                raise _StoppedError
            time.sleep(REST)

        try:
            self._simulated = await asyncio.to_thread(works, config, rest)
            self._tell()
        except NasdError as error:
            log.debug("when the search will end is told by its pace alone: %s", error)
        finally:
            stop.set()

    def _tell(self) -> None:
        if self._config is not None and self._images is not None:
            self._share = expected_images(self._config, self._images, math.inf)[0] / sum(self._images)
        self._history.expected = {stage: found * (1.0, self._share) for stage, found in self._simulated.items()}
