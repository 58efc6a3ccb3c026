"""The architectures that a run has evaluated, with their sizes and decisions: each is read once.

Reading an architecture string takes some 0.2 ms, so that a long run is read in slices.
"""

import sys
import time
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasd.runs.insight import MOST_ROWS, Importances, Value, importances
from nasd.spaces.base import GrammarError, Space
from store import Run

BLOCK = 200  # trials between two looks at the clock


class Collected:
    """What was read by now. Rows are in the order of observation.

    Args:
        space: Of the run.

    Attributes:
        order: Of the newest trial that was read.
        numbers, rewards, parameters, embedding, seconds: One value a row; nan where it is not known.
    """

    def __init__(self, space: Space[Any]) -> None:
        self._space = space
        self.order = 0
        self.numbers = array("q")
        self.rewards, self.parameters = array("d"), array("d")
        self.embedding, self.seconds = array("d"), array("d")
        # Every `_step`-th row's decisions: a dictionary for each of 100,000 would take more memory than the search.
        self._decisions: list[dict[str, Value]] = []
        self._of_rows = array("q")
        self._step = 1

    def read(self, run: Run, seconds: float | None = None) -> None:
        """Read on, for about so many seconds; None: to the end. Raises StoreError."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            block = run.evaluated(self.order, count=BLOCK)
            if not block:
                self.order = max(self.order, run.count())
                return
            for trial in block:
                self._take(trial.net)
                self.numbers.append(trial.number)
                self.rewards.append(trial.reward)
                self.embedding.append(np.nan if trial.embedding_dim is None else trial.embedding_dim)
                self.seconds.append(trial.seconds or np.nan)
            self.order = block[-1].order

    def costs(self, axis: str) -> NDArray[np.float64]:
        """(N,) what is to be low: `parameters`, `embedding` or `seconds`; nan where it is not known."""
        return np.array(getattr(self, axis))

    def importances(self) -> Importances:
        """What each decision is worth."""
        return importances(self._decisions, np.array(self.rewards)[np.array(self._of_rows, dtype=int)])

    def _take(self, net: str) -> None:
        row = len(self.numbers)
        try:
            architecture = self._space.parse(net)
        except GrammarError:  # an imported one, which this space does not have
            self.parameters.append(np.nan)
            return
        self.parameters.append(self._space.graph(architecture).parameters)
        if row % self._step:
            return
        decisions = self._space.decisions(architecture)
        self._decisions.append({sys.intern(name): value for name, value in decisions.items()})
        self._of_rows.append(row)
        if len(self._decisions) > MOST_ROWS:
            self._step *= 2
            kept = [place for place, of_row in enumerate(self._of_rows) if of_row % self._step == 0]
            self._decisions = [self._decisions[place] for place in kept]
            self._of_rows = array("q", (self._of_rows[place] for place in kept))
