"""One worker process as its daemon sees it: started, given a task, listened to, and ended whatever state it is in."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from nasd.box import faults, limits
from nasd.evaluators.base import Step
from nasd.evaluators.orders import Order
from nasd.executors.base import Task
from nasd.executors.processes import messages
from nasd.executors.processes.messages import Ended, Evaluate, SetupFailed
from nasd.executors.work import Setup
from nasd.protocol import WorkerStatus

log = logging.getLogger("nasd.worker")

WORKER_COMMAND = (sys.executable, "-m", "nasd.executors.processes.worker")
SILENCE = 60.0  # seconds without a heartbeat after which a process counts as stopped
LATE = 0.5  # seconds by which a timeout fires late only if this process was itself stopped
SETUP_TIME = 900.0  # seconds until a worker is set up
KILL_TIME = 10.0  # seconds until a killed process is gone, unless it hangs inside a driver
MAX_LINE = 1 << 26  # bytes of a report; what a strategy thought out may be megabytes


class WorkerLostError(Exception):
    """A worker ended, or had to be ended, in the middle of a task.

    Attributes:
        blame: Whether the task may have caused it.
        fault: What the box lacked, in words, where that may be the cause.
    """

    def __init__(self, reason: str, *, blame: bool, fault: str | None = None) -> None:
        super().__init__(reason)
        self.blame, self.fault = blame, fault


class WorkerUnfitError(Exception):
    """A worker could not be set up, for a reason that a person has to remove."""


@dataclass
class Worker:
    """One worker process. `run` one task at a time."""

    id: int
    setup: Setup
    command: tuple[str, ...]
    changed: Callable[["Worker"], None]
    passing: bool = False  # it is there only as long as jobs ask for its device
    affinity: str | None = None  # of its last task
    order: Order | None = None  # the last one
    process: asyncio.subprocess.Process | None = None
    status: WorkerStatus = field(init=False)
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    _listening: asyncio.Task[None] | None = None
    failed_starts: int = 0
    faults: int = 0  # of the box, one after the other

    def __post_init__(self) -> None:
        self.status = WorkerStatus(id=self.id, device=self.setup.device, pid=None, state="gone", passing=self.passing)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start the process and wait until it is set up.

        Raises:
            WorkerUnfitError: It says that it cannot work.
            WorkerLostError: It ended without a word, or is not ready after `SETUP_TIME`.
            OSError: The process could not be made.
        """
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
            # A signal to the daemon's process group is the daemon's alone. Not a session of its own: a group of the
            # daemon's session is orphaned by its death, and the kernel then wakes and hangs up what is stopped in it.
            process_group=0,
        )
        self._said.clear()
        self._listening = asyncio.create_task(self._listen(self.process), name=f"worker-{self.id}-stderr")
        self._show(pid=self.process.pid, state="starting")
        self._send(self.setup)
        try:
            report = await self._hear(time.monotonic() + SETUP_TIME)
        except TimeoutError:
            await self.kill()
            raise WorkerLostError(f"was not ready after {SETUP_TIME:g} s", blame=False) from None
        except asyncio.CancelledError:
            await self.kill()
            raise
        if isinstance(report, SetupFailed):
            await self.kill()
            raise WorkerUnfitError(report.reason)
        self._show(state="idle")

    async def run(self, task: Task, id: int, timeout: float) -> Ended:
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
            started_at=time.time(),
        )
        deadline = time.monotonic() + timeout
        try:
            self._send(Evaluate(id=id, order=order))
            while True:
                report = await self._hear(deadline)
                if isinstance(report, Ended) and report.id == id:
                    self._show(state="idle", trial=None, job=None, net=None, stage=None, started_at=None)
                    if report.leaving:
                        await self.kill()
                    return report
                if isinstance(report, messages.Step) and report.id == id:
                    self._step(report.step)
                    task.on_step(report.step)
                    if task.timeout == "step":
                        deadline = time.monotonic() + timeout
        except TimeoutError:
            await self.kill()
            raise WorkerLostError(f"took longer than the trial_timeout of {timeout:g} s", blame=True) from None
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def kill(self) -> None:
        """End the process, whatever state it is in."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if process is not None:
            try:
                async with asyncio.timeout(KILL_TIME):
                    await process.communicate()  # reads its pipes to their end, so that they are closed
            except TimeoutError:  # nothing more can be done about it; a new process takes its place
                log.error("worker %d: process %d cannot be killed, its device may hang", self.id, process.pid)
        self._show(state="gone", pid=None, trial=None, job=None, net=None, stage=None, started_at=None)

    def _send(self, request: messages.Request) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(messages.encode(request) + b"\n")

    async def _hear(self, deadline: float) -> messages.Report:
        """The next report that is not a heartbeat.

        Raises:
            WorkerLostError: The process ended or fell silent; it is gone then.
            TimeoutError: The deadline has passed; the process still runs.
        """
        process = self.process
        assert process is not None
        assert process.stdout is not None
        kills_before = _memory_kills()
        while True:
            began = time.monotonic()
            wait = min(SILENCE, max(deadline - began, 0.0))
            line, overslept = None, 0.0
            try:
                async with asyncio.timeout(wait):
                    line = await process.stdout.readline()
            except TimeoutError:
                pass
            except ValueError:
                await self.kill()
                raise WorkerLostError(f"sent a line of more than {MAX_LINE} bytes and was ended", blame=True) from None
            # Was this process itself stopped? What the worker said meanwhile is still in the pipe: hear it first.
            overslept = time.monotonic() - began - wait
            if overslept > LATE:
                deadline += overslept + LATE
            if line is None:
                if overslept > LATE:
                    continue
                if time.monotonic() >= deadline:
                    raise TimeoutError
                await self.kill()
                raise WorkerLostError(f"was silent for {SILENCE:g} s and was ended", blame=False)
            if not line:
                reason, blame = await self._end_of(process, kills_before)
                fault = faults.in_words("\n".join(self._said)) if blame else None
                await self.kill()
                raise WorkerLostError(reason, blame=blame, fault=fault)
            try:
                report = messages.decode_report(line)
            except msgspec.DecodeError:
                await self.kill()
                raise WorkerLostError("sent something that is not a report and was ended", blame=True) from None
            if not isinstance(report, messages.Alive):
                return report

    async def _end_of(self, process: asyncio.subprocess.Process, kills_before: tuple[int, int]) -> tuple[str, bool]:
        """Why a process that closed its standard output ended, and whether its task may be to blame."""
        try:
            async with asyncio.timeout(KILL_TIME):
                code = await process.wait()
        except TimeoutError:
            return "closed its standard output and was ended", True
        if self._listening is not None:  # its last words may still be on their way
            await asyncio.wait([self._listening], timeout=1.0)
        return self._cause(code, kills_before)

    def _cause(self, code: int, kills_before: tuple[int, int]) -> tuple[str, bool]:
        said = f"; its last words: {self._said[-1]}" if self._said else ""
        if code >= 0:
            return f"ended by itself with exit code {code}{said}", True
        name = signal.Signals(-code).name
        of_box, of_container = (now > then for now, then in zip(_memory_kills(), kills_before, strict=True))
        if -code == signal.SIGKILL and of_container:
            return f"was killed because the container's memory of {limits.memory().counts} bytes ran out", True
        if -code == signal.SIGKILL and of_box:
            return "was killed by the kernel because memory ran out", True
        return f"was killed by {name}{said}", -code not in (signal.SIGKILL, signal.SIGTERM)

    def _step(self, step: Step) -> None:
        status = self.status
        curves = {}
        if step.validation_accuracy is not None:
            curves["validation_accuracies"] = (*status.validation_accuracies, step.validation_accuracy)
        if step.train_accuracy is not None:
            curves["train_accuracies"] = (*status.train_accuracies, step.train_accuracy)
        self._show(stage=step.stage, epoch=step.epoch, epochs=step.epochs, **curves)

    def _show(self, **changes: object) -> None:
        if self.process is not None and self.alive:
            with contextlib.suppress(psutil.Error):
                changes["memory"] = psutil.Process(self.process.pid).memory_info().rss
        self.status = msgspec.structs.replace(self.status, **changes)
        self.changed(self)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line over the limit; what follows it is read on
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()[:2000]
            self._said.append(text)
            log.info("worker %d: %s", self.id, text)
            await asyncio.sleep(0)  # a worker that floods must not shut out everything else


def _memory_kills() -> tuple[int, int]:
    """How often the kernel has killed something on this box, and in this container, for want of memory."""
    count = 0
    with contextlib.suppress(OSError, ValueError), Path("/proc/vmstat").open(encoding="ascii") as file:
        count = sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return count, limits.memory_kills()
