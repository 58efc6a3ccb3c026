"""The seam of an executor: where orders are carried out. It loses workers, the daemon does not notice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nasd.config import Config
from nasd.evaluators.base import Answer, File, Step, Timeout
from nasd.evaluators.orders import Order
from nasd.outcome import Outcome
from nasd.protocol import Node, WorkerStatus


@dataclass
class Task:
    """One order, what it is for, and how it is to be carried out."""

    order: Callable[[], Order]  # asked when a worker takes the task, each time that one does
    trial: int | None = None
    job: int | None = None
    device: str | None = None  # on which a worker of its own does it; None: the search's workers
    affinity: str | None = None  # a worker whose last task had the same is preferred, if it is idle
    timeout: Timeout = "task"
    on_step: Callable[[Step], None] = lambda step: None
    running: bool = False  # a worker is at it; set by the executor

    @property
    def purpose(self) -> str:
        """In words."""
        if self.trial is not None:
            return f"trial {self.trial}"
        return "thinking" if self.job is None else f"job {self.job}"


@dataclass(frozen=True)
class Finished:
    """A task's end."""

    result: Outcome | Answer
    files: Mapping[str, File] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Of an evaluation.

        Raises:
            TypeError: It was no evaluation.
        """
        if isinstance(self.result, Answer):
            raise TypeError("thinking has an answer, not an outcome")
        return self.result


class Executor(Protocol):
    """Carries tasks out, on whatever workers it has or gets."""

    @property
    def capacity(self) -> int:
        """How many tasks the search can have under way at the same time."""
        ...

    @property
    def workers(self) -> Sequence[WorkerStatus]:
        """The search's, then those of jobs with a device of their own."""
        ...

    @property
    def nodes(self) -> Sequence[Node]:
        """Of the cluster that the workers are on, as they were a few seconds ago; none where they are on this box."""
        ...

    async def evaluate(self, task: Task) -> Finished:
        """Carry out a task, however many workers it takes; never raises on the task's account. Cancel to give it up.

        Whatever becomes of workers, the result is that of the order alone. Of tasks that wait, those of jobs come
        first, then the oldest.

        Returns:
            What came of it, or Failed with the reason why no try came to an end.
        """
        ...

    async def renew(self, config: Config, text: str, *, workers: bool) -> bool:
        """Go on by another config: with its timeout and tries for tasks that a worker takes from now on.

        Args:
            config: The run's.
            text: Its YAML, for workers.
            workers: Whether there have to be other workers. One that is at a task ends it first.

        Returns:
            Whether it goes by all of it; False: its workers stay as they are until the next start.
        """
        ...

    async def retire(self, device: str) -> None:
        """End the worker that tasks had on a device of their own; the next one gets a new worker."""
        ...

    async def close(self) -> None:
        """End all workers; none is left when this returns."""
        ...


class ExecutorFactory(Protocol):
    """Makes an executor; workers start when there is something to do."""

    def __call__(
        self,
        config: Config,
        text: str,
        staging: Path,
        *,
        changed: Callable[[WorkerStatus], None],
        trouble: Callable[[int, str | None], None],
        command: tuple[str, ...] | None = None,
        identity: dict[str, Any] | None = None,
    ) -> Executor:
        """
        Args:
            config: The run's.
            text: Its YAML, for workers.
            staging: Folder of the run for what tasks leave.
            changed: Called when a worker's status changes.
            trouble: Called with what keeps a worker from starting, and with None once it does.
            command: How a worker on this box is started, where there is another way than the usual one.
            identity: The fingerprint that the data of every worker must have (`nasd.data`); None: any.
        """
        ...
