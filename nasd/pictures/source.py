"""What figures are drawn from: a run's rewards, or those of a published CSV."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasd.errors import NasdError
from nasd.runs.published import replay
from nasd.strategies.qlearning.schedule import stage_label
from store import Run

WINDOW = 20  # of the rolling reward, as published


@dataclass(frozen=True)
class Phase:
    """Successive trials of one stage: those from `start` up to `stop` of the trials that counted."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True)
class Entry:
    """One architecture. Accuracies are fractions."""

    net: str
    reward: float
    best_validation: float | None
    test_accuracy: float | None
    number: int  # its trial, or row


@dataclass(frozen=True)
class Search:
    """The trials of a search that counted, in their order.

    Attributes:
        rewards: (N,) fractions.
        stages: N labels, of the stages that they belong to.
        entries: Its best architectures, each once, best first.
    """

    name: str
    rewards: NDArray[np.float64]
    stages: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def rolling(self) -> NDArray[np.float64]:
        """(N - 19,) means of 20 rewards each; the first belongs to trial 20.

        Raises:
            NasdError: There are fewer than 20 trials.
        """
        if len(self.rewards) < WINDOW:
            raise NasdError(f"{self.name} has {len(self.rewards)} trials that count: a mean of {WINDOW} needs more")
        sums = np.cumsum(np.concatenate([[0.0], self.rewards]))
        means: NDArray[np.float64] = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
        return means

    @property
    def phases(self) -> list[Phase]:
        """The stages, in order."""
        phases, start = [], 0
        for label, trials in groupby(self.stages):
            stop = start + len(list(trials))
            phases.append(Phase(label, start, stop))
            start = stop
        return phases


def of_run(run: Run, best: int = 500) -> Search:
    """A run's, as it is now. Raises StoreError."""
    rewards = run.rewards()
    entries = (Entry(t.net, t.reward, t.best_validation, t.test_accuracy, t.number) for t in run.best(best))
    return Search(run.path.name, np.array(rewards.rewards), tuple(rewards.of_stages), tuple(entries))


def of_csv(path: Path) -> Search:
    """A published replay buffer's: the rows with a reward above 0 count.

    Raises:
        CsvError: The file is not one.
        DiskError: It cannot be read.
    """
    rows = [(number, row) for number, row in enumerate(replay.read(path)) if row.reward > 0]
    best: dict[str, Entry] = {}
    for number, row in sorted(rows, key=lambda item: (-item[1].reward, item[0])):
        best.setdefault(row.net, Entry(row.net, row.reward, row.best_validation, row.test_accuracy, number))
    return Search(
        path.stem,
        np.array([row.reward for _, row in rows]),
        tuple(stage_label(row.epsilon) for _, row in rows),
        tuple(best.values()),
    )


def require_trials(search: Search) -> None:
    """Raises NasdError if nothing is there to be drawn."""
    if not len(search.rewards):
        raise NasdError(f"{search.name} has no trial that counts yet: wait for the first")
