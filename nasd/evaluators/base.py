"""The seam of an evaluator: a half in the daemon, which plans, and a half in a worker, which computes. Torch-free.

`nasd.evaluators.orders` has the records that go from one half to the other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from nasd.evaluators.orders import Evaluation
from nasd.graph import Graph
from nasd.outcome import Outcome

Timeout = Literal["task", "step"]
"""What `executor.trial_timeout` bounds: the whole of a task, or the time between two of its steps."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A stage began (epoch 0) or an epoch ended. Accuracies are fractions."""

    stage: str  # such as build, encode, train
    epoch: int = 0
    epochs: int = 0
    train_accuracy: float | None = None
    validation_accuracy: float | None = None
    facts: dict[str, Any] = {}  # what else is to be shown of the work under way; JSON values


Report = Callable[[Step], None]


class OnEpoch(Protocol):
    """Called with epoch 0 when a stage (build, encode, train) begins, and after each epoch of training."""

    def __call__(
        self, stage: str, epoch: int, epochs: int, train_accuracy: float | None, validation_accuracy: float | None
    ) -> None:
        """Accuracies are fractions, None where there is none yet."""
        ...


def reporting(report: Report) -> OnEpoch:
    """A `OnEpoch` that makes steps of what it is told."""

    def progress(
        stage: str, epoch: int, epochs: int, train_accuracy: float | None, validation_accuracy: float | None
    ) -> None:
        report(
            Step(
                stage=stage,
                epoch=epoch,
                epochs=epochs,
                train_accuracy=train_accuracy,
                validation_accuracy=validation_accuracy,
            )
        )

    return progress


O_contra = TypeVar("O_contra", contravariant=True)


class Evaluator(Protocol[O_contra]):
    """The worker's half. Made once per process, with what every order shares (`nasd.evaluators.bench.Bench`)."""

    def run(self, order: O_contra, report: Report) -> tuple[Outcome, Mapping[str, Path]]:
        """Evaluate. The same order gives the same outcome bit for bit, apart from `measured`, also where an earlier
        worker was killed in the middle of it.

        Returns:
            The outcome, and what is left on this disk for the daemon, synced: paths by name.

        Raises:
            Exception: The process may be unusable; the order counts as failed, and another process does the next one.
        """
        ...


class File(Protocol):
    """A file or folder that a task left, wherever that was."""

    async def fetch(self) -> Path:
        """Have it in a folder of the run, under a temporary name, whole and synced; the caller renames it.

        Raises:
            OSError: It cannot be had, or the disk refused.
        """
        ...

    async def discard(self) -> None:
        """Remove it. Nothing is raised: what cannot be removed is swept at the next start."""
        ...


Look = tuple[int, float, Mapping[str, Any]]
"""Of a trial: its place in the order of observation, its reward, its metrics (`nasd.outcome.to_metrics`)."""


class Planner(Protocol):
    """The daemon's half: makes orders, and looks after what they leave in the run's directory.

    Made with (config, the run's directory). Calls are made one after the other.
    """

    timeout: Timeout
    """`step` where an order goes on after a kill from its last step."""

    def restore(self, looks: Iterable[Look]) -> None:
        """Take up where a checkpoint ends.

        Args:
            looks: Of the trials that were looked at before they were evaluated fully, in the order of observation.
        """
        ...

    def refusal(self, graph: Graph) -> str | None:
        """Why the network of an architecture that its space calls feasible is not evaluated all the same, in words that
        follow its name; None: it is.
        """
        ...

    def reads(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the run's files that the order of a trial with these facts refers to."""
        ...

    def trial(
        self,
        net: str,
        number: int,
        *,
        after: int,
        keep_above: float | None,
        facts: Mapping[str, Any] = {},
        file: Callable[[str], Path] = Path,
    ) -> Evaluation:
        """The order of a trial.

        Args:
            net: The architecture.
            number: The trial's.
            facts: What the strategy said of its proposal.
            file: Where a file of the run lies that was left by an earlier trial (`Learned.files`), by its name.
            after: Trials that had been observed when it was proposed, however fast workers were.
            keep_above: Reward above which its embedding is worth keeping; None: none is.
        """
        ...

    def observed(self, number: int, place: int, outcome: Outcome | None) -> None:
        """Take note of a trial that was observed as the `place`-th, and is committed."""
        ...

    def repeat(self, job: int, repeat: int, net: str, seed: int, epochs: int, *, embedding: bool) -> Evaluation:
        """The order of a job's repeat, counted from 1; `embedding`: whether its embedding is to be kept."""
        ...

    async def keep(self, job: int, repeat: int, files: Mapping[str, File]) -> dict[str, Any]:
        """Give what a repeat left its final name.

        Returns:
            Paths relative to the run: `embedding`, or None; `weights`, a list.
        """
        ...

    def forget(self, job: int, repeat: int) -> None:
        """Remove what a repeat needs only to go on: it will not, and no worker is at it."""
        ...

    def sweep(self, trials: Collection[int], jobs: Collection[int]) -> None:
        """At the daemon's start: remove what is unfinished, and what belongs to none of these, which will go on."""
        ...


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """What came of thinking: the payload of a strategy's `Learned`."""

    payload: bytes


class Workspace(NamedTuple):
    """The files of a task that thinks."""

    inputs: Mapping[str, Path]  # the run's files that `Work.files` names, to read
    outputs: Path  # an empty folder to write in


class Thought(NamedTuple):
    """What a strategy's `think` returns."""

    payload: bytes
    files: tuple[str, ...] = ()  # names of those that it wrote into the workspace's outputs


class Thinker(Protocol):
    """A strategy's heavy thinking: `nasd/strategies/NAME/thinking.py`, `think`. A function of its arguments alone."""

    def __call__(self, config: Any, request: bytes, report: Report, workspace: Workspace) -> Thought:
        """Think; `request` is what the strategy's `Work` holds, `config` the run's."""
        ...
