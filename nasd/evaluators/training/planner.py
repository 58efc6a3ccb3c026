"""The daemon's half of full trainings: checkpoints while they go on, weights of those that a person asked for."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from nasd.config import Config
from nasd.evaluators.base import File, Look, Timeout
from nasd.evaluators.orders import Training
from nasd.evaluators.training.weight_files import WeightFiles, job_stem, sweep, trial_stem
from nasd.graph import Graph
from nasd.outcome import Outcome
from nasd.seeding import trial_seed


class TrainingPlanner:
    """See `nasd.evaluators.base.Planner`. A killed training goes on at its last epoch."""

    timeout: Timeout = "step"

    def __init__(self, config: Config, run: Path) -> None:
        self._seed, self._run = config.seed, run

    def restore(self, looks: Iterable[Look]) -> None:
        """There is no quick look."""

    def refusal(self, graph: Graph) -> str | None:
        """None: it takes every network."""
        return None

    def reads(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """None: every trial begins anew."""
        return ()

    def trial(
        self,
        net: str,
        number: int,
        *,
        after: int,
        keep_above: float | None,
        facts: Mapping[str, Any] = {},
        file: Callable[[str], Path] = Path,
    ) -> Training:
        """Its weights are not kept."""
        stem = str(trial_stem(self._run, number))
        return Training(net=net, seed=trial_seed(self._seed, number), weights=stem)

    def observed(self, number: int, place: int, outcome: Outcome | None) -> None:
        """Its checkpoint is of no use any more."""
        WeightFiles(trial_stem(self._run, number), keep=False).ended()

    def repeat(self, job: int, repeat: int, net: str, seed: int, epochs: int, *, embedding: bool) -> Training:
        """Its weights are kept; there is no embedding."""
        stem = str(job_stem(self._run, job, repeat))
        return Training(net=net, seed=seed, epochs=epochs, weights=stem, keep_weights=True)

    async def keep(self, job: int, repeat: int, files: Mapping[str, File]) -> dict[str, Any]:
        """Its weights, which have their names already."""
        return {"embedding": None, "weights": list(self._files(job, repeat).names())}

    def forget(self, job: int, repeat: int) -> None:
        """Its checkpoint."""
        self._files(job, repeat).ended()

    def sweep(self, trials: Collection[int], jobs: Collection[int]) -> None:
        """Unfinished files, and the checkpoints of all but these."""
        sweep(self._run, trials, jobs)

    def _files(self, job: int, repeat: int) -> WeightFiles:
        return WeightFiles(job_stem(self._run, job, repeat), keep=True)
