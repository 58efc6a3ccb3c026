"""A retrain job: one architecture evaluated again and again, each time with freshly drawn weights."""

import statistics
from dataclasses import dataclass
from typing import Any

import msgspec

from nasd.evaluators.base import Planner
from nasd.evaluators.orders import Evaluation
from nasd.executors.base import Finished, Task
from nasd.outcome import Evaluated
from nasd.seeding import derive
from store import Job

Repeat = dict[str, Any]
"""What came of one evaluation, as it lies in the job's row."""


def evaluator_of(*, full: bool) -> str:
    """The evaluator of a job, for which clients have a flag."""
    return "training" if full else "deep_prior"


class Retrain(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, as it lies in the job's row."""

    net: str
    repeats: int
    epochs: int
    trial: int | None = None
    group: str = ""
    reward: float | None = None
    label: str = ""
    batch: int | None = None
    store_embedding: bool = False
    evaluator: str = "deep_prior"
    device: str | None = None

    @classmethod
    def of(cls, job: Job) -> "Retrain":
        """A job's. Rows that were written before jobs named their evaluator have the flag."""
        return msgspec.convert({"evaluator": evaluator_of(full=job.params.get("full", False)), **job.params}, cls)

    @property
    def full(self) -> bool:
        """The flag."""
        return self.evaluator == evaluator_of(full=True)

    @property
    def summary(self) -> str:
        """In words."""
        trial = f"trial {self.trial}" if self.trial is not None else ""
        of = ", ".join(filter(None, (self.label, self.group, trial)))
        how = (", fully trained" if self.full else "") + (f", on {self.device}" if self.device else "")
        return f"{of}{': ' if of else ''}{self.repeats} x {self.epochs} epochs of {self.net}{how}"


@dataclass(frozen=True)
class Retraining:
    """Carries a retrain job out: what a worker is asked, and what is kept of its answer. Repeats count from 1.

    Attributes:
        planner: Of the job's evaluator.
        seed: The run's.
        id: The job's.
        job: What is to be done.
    """

    planner: Planner
    seed: int
    id: int
    job: Retrain

    def task(self, repeat: int) -> Task:
        """What a worker is asked for."""

        def order() -> Evaluation:
            seed, job = self._seed(repeat), self.job
            return self.planner.repeat(self.id, repeat, job.net, seed, job.epochs, embedding=job.store_embedding)

        return Task(order=order, job=self.id, device=self.job.device, timeout=self.planner.timeout)

    async def done(self, repeat: int, finished: Finished, outcome: Evaluated) -> Repeat:
        """Keep what the worker left, and put together what came of it."""
        return {
            "seed": self._seed(repeat),
            "reward": outcome.reward,
            "best_validation": max(outcome.validation_accuracies, default=None),
            "test_accuracy": outcome.test_accuracy,
            "validation_accuracies": list(outcome.validation_accuracies),
            "seconds": outcome.measured.seconds,
            **await self.planner.keep(self.id, repeat, finished.files),
            **({} if outcome.labels is None else {"labels": msgspec.to_builtins(outcome.labels)}),
        }

    def forget(self, repeat: int) -> None:
        """Remove what a repeat needs only to go on: it will not, and no worker is at it."""
        self.planner.forget(self.id, repeat)

    def _seed(self, repeat: int) -> int:
        return derive(self.seed, f"job/{self.id}/{repeat - 1}")


def summed_up(repeats: list[Repeat]) -> dict[str, Any]:
    """A job's result so far."""
    tests = [repeat["test_accuracy"] for repeat in repeats if repeat["test_accuracy"] is not None]
    return {
        "repeats": repeats,
        "mean_reward": statistics.fmean(repeat["reward"] for repeat in repeats),
        "mean_test_accuracy": statistics.fmean(tests) if tests else None,
        "stdev_test_accuracy": statistics.stdev(tests) if len(tests) > 1 else None,
        **_mean_label_accuracies([repeat["labels"] for repeat in repeats if "labels" in repeat]),
    }


def _mean_label_accuracies(labels: list[dict[str, Any]]) -> dict[str, Any]:
    """Over the repeats, of each label: on the test split, or on the validation split where one was not tested."""
    if not labels:
        return {}
    scores = [one["test"] or one["validation"] for one in labels]
    means = [statistics.fmean(score["accuracy"] for score in of_label) for of_label in zip(*scores, strict=True)]
    return {"label_accuracies": dict(zip((score["label"] for score in scores[0]), means, strict=True))}


def without_curves(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same for a client: a thousand repeats with their curves would not fit into a frame."""
    if result is None:
        return None
    long = ("validation_accuracies", "labels")
    repeats = [{name: value for name, value in r.items() if name not in long} for r in result["repeats"]]
    return {**result, "repeats": repeats}
