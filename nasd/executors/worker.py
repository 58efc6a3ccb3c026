"""One worker as its daemon sees it: started, given a task, listened to, and ended whatever state it is in."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from nasd.evaluators.base import Answer, Step
from nasd.evaluators.orders import Order
from nasd.executors import messages
from nasd.executors.base import Finished, Task
from nasd.executors.channel import MAX_LINE, Channel, WorkerLostError, WorkerUnfitError
from nasd.executors.messages import Ended, Evaluate, SetupFailed
from nasd.executors.work import Setup
from nasd.outcome import Outcome
from nasd.protocol import WorkerStatus

log = logging.getLogger("nasd.worker")

SILENCE = 60.0  # seconds without a heartbeat after which a process counts as stopped
LATE = 0.5  # seconds by which a timeout fires late only if this process was itself stopped
SETUP_TIME = 900.0  # seconds until a worker is set up


class Ran(NamedTuple):
    """A task's end at one worker."""

    finished: Finished
    fault: str | None  # what the box lacked, in words: the result says nothing then


class Patience:
    """What is left of a time limit. Time in which this process was stopped, and heard nothing, does not count.

    Args:
        seconds: The limit.
    """

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._seen = time.monotonic()

    def stopped(self, wait: float) -> bool:
        """Count the time since the last call, in which `wait` seconds at most were to be waited. Longer than that, this
        process was stopped, and all of it is forgiven.
        """
        now = time.monotonic()
        passed, self._seen = now - self._seen, now
        if passed > wait + LATE:
            return True
        self.left -= passed
        return False


@dataclass
class Worker:
    """One worker. `run` one task at a time."""

    id: int
    setup: Setup
    channel: Channel
    changed: Callable[["Worker"], None]
    passing: bool = False  # it is there only as long as jobs ask for its device
    affinity: str | None = None  # of its last task
    order: Order | None = None  # the last one
    failed_starts: int = 0
    faults: int = 0  # of the box, one after the other
    outdated: bool = False  # its process was set up otherwise than `setup` says
    status: WorkerStatus = field(init=False)

    def __post_init__(self) -> None:
        self.status = WorkerStatus(id=self.id, device=self.setup.device, pid=None, state="gone", passing=self.passing)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.channel.alive

    def renew(self, setup: Setup) -> None:
        """Have its next process set up otherwise."""
        self.setup, self.outdated = setup, True

    async def start(self) -> None:
        """Start the process and wait until it is set up.

        Raises:
            WorkerWaitsError: There is no place for it now.
            WorkerUnfitError: It says that it cannot work.
            WorkerLostError: It ended without a word, or is not ready after `SETUP_TIME`.
            OSError: The process could not be made.
        """
        self.outdated = False
        self._show(state="starting", waits_for=None, device=self.setup.device)
        try:
            await self.channel.open(self.setup)
            self.status = msgspec.structs.replace(self.status, pid=self.channel.pid, node=self.channel.node)
            report = await self._hear(Patience(SETUP_TIME))
        except TimeoutError:
            await self.kill()
            raise WorkerLostError(f"was not ready after {SETUP_TIME:g} s", blame=False) from None
        except BaseException:
            await self.kill()
            raise
        if isinstance(report, SetupFailed):
            await self.kill()
            raise WorkerUnfitError(report.reason)
        self._show(state="idle")

    async def run(self, task: Task, id: int, timeout: float) -> Ran:
        """Carry out one task.

        Raises:
            WorkerLostError: The process ended, fell silent, or took longer than `timeout` seconds; it is gone then.
        """
        self.order = order = task.order()
        self.affinity = task.affinity
        self._show(
            state="busy",
            trial=task.trial,
            job=task.job,
            net=order.subject,
            stage="build",
            epoch=0,
            epochs=0,
            validation_accuracies=(),
            train_accuracies=(),
            facts={},
            started_at=time.time(),
        )
        try:
            self._send(Evaluate(id=id, order=await self.channel.bring(order)))
            patience = Patience(timeout)
            while True:
                report = await self._hear(patience)
                if isinstance(report, Ended) and report.id == id:
                    finished = Finished(
                        _measured_at(report.result, self.channel.node), await self.channel.fetch(order, report.files)
                    )
                    self._show(state="idle", trial=None, job=None, net=None, stage=None, facts={}, started_at=None)
                    if report.leaving:
                        await self.kill()
                    return Ran(finished, report.fault)
                if isinstance(report, messages.Step) and report.id == id:
                    self._step(report.step)
                    task.on_step(report.step)
                    self.channel.stepped(order)
                    if task.timeout == "step":
                        patience = Patience(timeout)
        except TimeoutError:
            await self.kill()
            raise WorkerLostError(f"took longer than the trial_timeout of {timeout:g} s", blame=True) from None
        except (asyncio.CancelledError, WorkerLostError):
            await self.kill()
            raise

    async def kill(self) -> None:
        """End the process, whatever state it is in."""
        await self.channel.kill()
        self._show(
            state="gone",
            passing=self.passing,
            pid=None,
            node="",
            trial=None,
            job=None,
            net=None,
            stage=None,
            facts={},
            started_at=None,
        )

    def wait_for(self, what: str) -> None:
        """Show that it has no place."""
        self._show(waits_for=what)

    def _send(self, request: messages.Request) -> None:
        self.channel.write(messages.encode(request))

    async def _hear(self, patience: Patience) -> messages.Report:
        """The next report that is not a heartbeat.

        Raises:
            WorkerLostError: The process ended or fell silent.
            TimeoutError: No patience is left; the process still runs.
        """
        while True:
            wait = min(SILENCE, max(patience.left, 0.0))
            line = None
            try:
                async with asyncio.timeout(wait):
                    line = await self.channel.read()
            except TimeoutError:
                pass
            except ValueError:
                raise WorkerLostError(f"sent a line of more than {MAX_LINE} bytes and was ended", blame=True) from None
            stopped = patience.stopped(wait)
            if line is None:
                if stopped:  # what the worker said meanwhile is still in the pipe
                    continue
                if wait < SILENCE:
                    raise TimeoutError
                raise WorkerLostError(f"was silent for {SILENCE:g} s and was ended", blame=False)
            if not line:
                end = await self.channel.end()
                raise WorkerLostError(end.reason, blame=end.blame, fault=end.fault)
            try:
                report = messages.decode_report(line)
            except msgspec.DecodeError:
                raise WorkerLostError("sent something that is not a report and was ended", blame=True) from None
            if not isinstance(report, messages.Alive):
                return report

    def _step(self, step: Step) -> None:
        status = self.status
        curves = {}
        if step.validation_accuracy is not None:
            curves["validation_accuracies"] = (*status.validation_accuracies, step.validation_accuracy)
        if step.train_accuracy is not None:
            curves["train_accuracies"] = (*status.train_accuracies, step.train_accuracy)
        self._show(stage=step.stage, epoch=step.epoch, epochs=step.epochs, facts=step.facts or status.facts, **curves)

    def _show(self, **changes: object) -> None:
        self.status = msgspec.structs.replace(self.status, memory=self.channel.memory or self.status.memory, **changes)
        self.changed(self)


def _measured_at(result: Outcome | Answer, node: str) -> Outcome | Answer:
    """The same; its device with the name of the box that it is in, unless that is the daemon's own."""
    if isinstance(result, Answer) or not node:
        return result
    measured = msgspec.structs.replace(result.measured, device=f"{result.measured.device} of {node}")
    return msgspec.structs.replace(result, measured=measured)
