"""What a search's own accuracies say of trainings from scratch: the jobs with the label `FROM_SCRATCH`."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nasd.correlation import rank_correlation
from nasd.protocol import FROM_SCRATCH
from store import Job

LEAST = 3
"""Architectures that a correlation takes; two are always in order or out of it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An architecture that was trained from scratch. Accuracies are fractions, means over the job's repeats."""

    group: str  # such as derived or random
    net: str
    expected: float  # the search's own accuracy of it
    validation: float  # the best of a training
    test: float | None  # None where trainings were stopped early


@dataclass(frozen=True, slots=True)
class Ranking:
    """All of a run."""

    trained: tuple[Trained, ...]  # the best validation accuracy first
    asked: int  # jobs in all, those that failed or were cancelled included
    open: int  # of them, those that are not done yet

    @property
    def correlation(self) -> float | None:
        """Spearman's, of the search's accuracies and those from scratch; None of fewer than `LEAST`."""
        if len(self.trained) < LEAST:
            return None
        return rank_correlation([one.expected for one in self.trained], [one.validation for one in self.trained])

    @property
    def mean_test(self) -> dict[str, float]:
        """Mean test accuracy of each group, by name."""
        tests: dict[str, list[float]] = {}
        for one in self.trained:
            if one.test is not None:
                tests.setdefault(one.group, []).append(one.test)
        return {group: statistics.fmean(tests[group]) for group in sorted(tests)}

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in words; none where there are no such jobs."""
        if not self.asked:
            return ()
        under_way = f", {self.open} under way" if self.open else ""
        found = [f"trained from scratch: {len(self.trained)} of {self.asked} architectures{under_way}"]
        if self.correlation is not None:
            found.append(f"rank correlation of the search's accuracies and those from scratch: {self.correlation:+.2f}")
        if self.mean_test:
            means = (f"{100 * mean:.1f} % of {group} ones" for group, mean in self.mean_test.items())
            found.append(f"mean test accuracy from scratch: {', '.join(means)}")
        return tuple(found)


def ranking(jobs: Iterable[Job]) -> Ranking:
    """What the jobs of a run came to so far."""
    mine = [job for job in jobs if job.params.get("label") == FROM_SCRATCH and job.params.get("reward") is not None]
    trained = [_trained(job.params, job.result) for job in mine if job.status == "done" and job.result]
    return Ranking(
        trained=tuple(sorted(trained, key=lambda one: (-one.validation, one.net))),
        asked=len(mine),
        open=sum(job.status in ("queued", "running") for job in mine),
    )


def _trained(params: Mapping[str, Any], result: Mapping[str, Any]) -> Trained:
    repeats = result["repeats"]
    tests = [repeat["test_accuracy"] for repeat in repeats if repeat["test_accuracy"] is not None]
    return Trained(
        group=params.get("group", ""),
        net=params["net"],
        expected=params["reward"],
        validation=statistics.fmean(repeat["best_validation"] or 0.0 for repeat in repeats),
        test=statistics.fmean(tests) if tests else None,
    )
