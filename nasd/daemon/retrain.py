"""A retrain job: one architecture evaluated again and again, each time with freshly drawn weights."""

import contextlib
import logging
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nasd.evaluators.training.weight_files import WeightFiles, job_stem
from nasd.executors.processes.messages import Finished
from nasd.executors.processes.worker_process import Task
from nasd.outcome import Evaluated
from nasd.seeding import derive
from store import Job, files

log = logging.getLogger("nasd.jobs")

Repeat = dict[str, Any]
"""What came of one evaluation, as it lies in the job's row."""


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
    full: bool = False
    device: str | None = None

    @classmethod
    def of(cls, job: Job) -> "Retrain":
        """A job's."""
        return msgspec.convert(job.params, cls)

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
        run: The run's directory.
        seed: The run's.
        id: The job's.
        job: What is to be done.
    """

    run: Path
    seed: int
    id: int
    job: Retrain

    def task(self, repeat: int) -> Task:
        """What a worker is asked for."""
        task = Task(
            net=self.job.net,
            seed=self._seed(repeat),
            job=self.id,
            epochs=self.job.epochs,
            device=self.job.device,
            full=self.job.full,
            keep_weights=self.job.full,
            weights=str(job_stem(self.run, self.id, repeat)) if self.job.full else None,
        )
        if self.job.store_embedding:
            folder = embeddings_folder(self.run)
            task.keep_above, task.staging = (lambda: -1.0), str(folder)
            with contextlib.suppress(OSError):  # the worker will say that it cannot write there
                folder.mkdir(parents=True, exist_ok=True)
        return task

    def done(self, repeat: int, finished: Finished, outcome: Evaluated) -> Repeat:
        """Keep what the worker left on the disk, and put together what came of it."""
        return {
            "seed": self._seed(repeat),
            "reward": outcome.reward,
            "best_validation": max(outcome.validation_accuracies, default=None),
            "test_accuracy": outcome.test_accuracy,
            "validation_accuracies": list(outcome.validation_accuracies),
            "seconds": outcome.measured.seconds,
            "embedding": self._keep(finished.staged, f"job-{self.id:06}-{repeat}.zarr"),
            "weights": list(self._weights(repeat).names()),
            **({} if outcome.labels is None else {"labels": msgspec.to_builtins(outcome.labels)}),
        }

    def forget(self, repeat: int) -> None:
        """Remove the checkpoint of a repeat that will not go on, once no worker writes it any more."""
        self._weights(repeat).ended()

    def _seed(self, repeat: int) -> int:
        return derive(self.seed, f"job/{self.id}/{repeat - 1}")

    def _weights(self, repeat: int) -> WeightFiles:
        return WeightFiles(job_stem(self.run, self.id, repeat), keep=True)

    def _keep(self, staged: str | None, name: str) -> str | None:
        """Give a staged embedding its name; one that a kill left there already is the same and gives way."""
        if staged is None:
            return None
        target = embeddings_folder(self.run) / name
        try:
            files.remove(target)
            files.publish(Path(staged), target)
        except OSError as error:  # the result counts, with or without its embedding
            log.warning("%s is not kept: %s", target, error)
            return None
        return str(target.relative_to(self.run))


def embeddings_folder(run: Path) -> Path:
    """Where the embeddings that jobs keep lie."""
    return run / "exports" / "jobs"


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
