"""Workers: started when needed, replaced when gone or late, and the tries that a trial gets."""

import asyncio
import contextlib
import heapq
import itertools
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from nasd.daemon import messages
from nasd.daemon.messages import Evaluate, Finished, Setup, SetupFailed, Step
from nasd.errors import NasdError
from nasd.outcome import Failed
from nasd.protocol import WorkerStatus

log = logging.getLogger("nasd.worker")

WORKER_COMMAND = (sys.executable, "-m", "nasd.daemon.worker")
SILENCE = 60.0  # seconds without a heartbeat after which a process counts as stopped
LATE = 0.5  # seconds by which a timeout fires late only if this process was itself stopped
SETUP_TIME = 900.0  # seconds until a worker is set up
KILL_TIME = 10.0  # seconds until a killed process is gone, unless it hangs inside a driver
STARTING_AGAIN = (0.5, 60.0)  # seconds until a worker that did not start is tried again: at first, at most
COMING_BACK = 5  # turns of the event loop in which a job's next repeat, or the next job, asks for its worker again
KILLS_FROM_OUTSIDE = 100  # tries of one task, however little it is to blame
MAX_LINE = 1 << 22


class WorkerLostError(Exception):
    """A worker ended, or had to be ended, in the middle of a task. `blame`: whether the task may have caused it."""

    def __init__(self, reason: str, *, blame: bool) -> None:
        super().__init__(reason)
        self.blame = blame


class WorkerUnfitError(Exception):
    """A worker could not be set up, for a reason that a person has to remove."""


@dataclass
class Task:
    """One evaluation: what to do, for what, and how long it may take."""

    net: str
    seed: int
    trial: int | None = None
    job: int | None = None
    epochs: int | None = None
    keep_above: Callable[[], float | None] = lambda: None  # asked when the task starts
    screen_floor: float | None = None  # quick score below which the evaluation ends; None: it does not
    staging: str | None = None  # folder for the embedding; None: the workers' own
    full: bool = False  # train all of it; the timeout is then each epoch's
    weights: str | None = None  # path with which the names of a full training's files begin
    keep_weights: bool = False  # not only the checkpoint
    device: str | None = None  # on which a worker of its own does it; None: the search's workers
    on_step: Callable[[Step], None] = lambda step: None
    running: bool = False  # a worker is at it; set by the supervisor


@dataclass
class Worker:
    """One worker process. `run` one task at a time."""

    id: int
    setup: Setup
    command: tuple[str, ...]
    changed: Callable[["Worker"], None]
    passing: bool = False  # it is there only as long as jobs ask for its device
    process: asyncio.subprocess.Process | None = None
    status: WorkerStatus = field(init=False)
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    _listening: asyncio.Task[None] | None = None
    failed_starts: int = 0

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

    async def run(self, task: Task, id: int, timeout: float) -> Finished:
        """Carry out one task.

        Raises:
            WorkerLostError: The process ended, fell silent, or took longer than `timeout` seconds; it is gone then.
        """
        self._show(
            state="busy",
            trial=task.trial,
            job=task.job,
            net=task.net,
            stage="build",
            epoch=0,
            epochs=0,
            validation_accuracies=(),
            train_accuracies=(),
            started_at=time.time(),
        )
        deadline = time.monotonic() + timeout
        try:
            self._send(
                Evaluate(
                    id=id,
                    net=task.net,
                    seed=task.seed,
                    epochs=task.epochs,
                    keep_above=task.keep_above(),
                    screen_floor=task.screen_floor,
                    staging=task.staging,
                    full=task.full,
                    weights=task.weights,
                    keep_weights=task.keep_weights,
                )
            )
            while True:
                report = await self._hear(deadline)
                if isinstance(report, Finished) and report.id == id:
                    self._show(state="idle", trial=None, job=None, net=None, stage=None, started_at=None)
                    if report.leaving:
                        await self.kill()
                    return report
                if isinstance(report, Step) and report.id == id:
                    self._step(report)
                    task.on_step(report)
                    if task.full:  # a checkpoint was written
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

    def _send(self, order: messages.Order) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(messages.encode(order) + b"\n")

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
                await self.kill()
                raise WorkerLostError(reason, blame=blame)
            try:
                report = messages.decode_report(line)
            except msgspec.DecodeError:
                await self.kill()
                raise WorkerLostError("sent something that is not a report and was ended", blame=True) from None
            if not isinstance(report, messages.Alive):
                return report

    async def _end_of(self, process: asyncio.subprocess.Process, kills_before: int) -> tuple[str, bool]:
        """Why a process that closed its standard output ended, and whether its task may be to blame."""
        try:
            async with asyncio.timeout(KILL_TIME):
                code = await process.wait()
        except TimeoutError:
            return "closed its standard output and was ended", True
        if self._listening is not None:  # its last words may still be on their way
            await asyncio.wait([self._listening], timeout=1.0)
        return self._cause(code, _memory_kills() > kills_before)

    def _cause(self, code: int, memory_kill: bool) -> tuple[str, bool]:
        said = f"; its last words: {self._said[-1]}" if self._said else ""
        if code >= 0:
            return f"ended by itself with exit code {code}{said}", True
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL and memory_kill:
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


class Pool:
    """Workers that stand in for one another. Who waits for one gets it in turn, jobs before trials."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self._idle = list(workers)
        self._waiting: list[tuple[int, int, asyncio.Future[Worker]]] = []
        self._count = itertools.count()

    async def acquire(self, task: Task) -> Worker:
        """Wait for a worker; it is the caller's until `release`."""
        if self._idle and (task.job is not None or not self._waiting):
            return self._idle.pop(0)
        future: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (0 if task.job is not None else 1, next(self._count), future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release(future.result())
            raise

    def release(self, worker: Worker) -> None:
        """Let the next one have it."""
        self._idle.append(worker)
        if self._waiting:
            self._hand_over(COMING_BACK)

    def _hand_over(self, turns: int) -> None:
        """Give idle workers to those who wait, but not at once: a trial would get in between two repeats of a job."""
        if turns:
            asyncio.get_running_loop().call_soon(self._hand_over, turns - 1)
            return
        while self._idle and self._waiting:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(self._idle.pop(0))


class Supervisor:
    """Gives tasks to workers. A lost worker is replaced and its task tried again.

    The search's workers are always there. A task that names a device gets a worker of its own, which stays until
    `retire`; the search's are not touched by it.
    """

    def __init__(
        self,
        config: str,
        devices: list[tuple[str, int]],
        staging: Path,
        *,
        timeout: float,
        attempts: int,
        memory_limit: int | None,
        changed: Callable[[Worker], None],
        trouble: Callable[[int, str | None], None],
        command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        """
        Args:
            config: The run's YAML.
            devices: (device, CPU threads) of each of the search's workers; other workers take as many threads as the
                first, so that a device gives the same results with either.
            staging: Folder for embeddings that are to be kept.
            timeout: Seconds for one try.
            attempts: Tries at a task that may itself be to blame for the loss of its worker.
            memory_limit: Bytes for each worker, or None.
            changed: Called when a worker's status changes.
            trouble: Called with what keeps a worker from starting, and with None once it does.
            command: How a worker is started.
        """
        self._timeout, self._attempts, self._trouble = timeout, attempts, trouble
        self._setup = Setup(
            config=config, device="", threads=devices[0][1], staging=str(staging), memory_limit=memory_limit
        )
        self._command, self._changed = command, changed
        self._ids, self._worker_ids = itertools.count(1), itertools.count()
        self._pool = Pool([self._worker(device=device, threads=threads) for device, threads in devices])
        self._own: dict[str, Pool] = {}

    @property
    def workers(self) -> list[Worker]:
        """The search's, then those of jobs with a device of their own."""
        return [worker for pool in (self._pool, *self._own.values()) for worker in pool.workers]

    async def evaluate(self, task: Task) -> Finished:
        """Carry out a task, however many workers it takes; never raises on the task's account.

        Returns:
            The worker's report, or one whose outcome is Failed with the reason why no try came to an end.
        """
        blamed = lost = 0
        pool = self._pool_of(task)
        while True:
            worker = await pool.acquire(task)
            try:
                if not await self._ensure(worker):
                    continue
                task.running = True
                return await worker.run(task, next(self._ids), self._timeout)
            except WorkerLostError as error:
                lost += 1
                blamed += error.blame
                what = f"trial {task.trial}" if task.trial is not None else f"job {task.job}"
                log.warning("worker %d %s at %s (try %d)", worker.id, error, what, lost)
                if blamed >= self._attempts or lost >= KILLS_FROM_OUTSIDE:
                    tries = f" (the last of {lost} tries)" if lost > 1 else ""
                    return Finished(id=0, outcome=Failed(reason=f"the worker {error}{tries}"))
            finally:
                task.running = False
                pool.release(worker)

    async def retire(self, device: str) -> None:
        """End the worker that tasks had on a device of their own; the next one gets a new worker."""
        pool = self._own.pop(device, None)
        for worker in pool.workers if pool else ():
            await worker.kill()
            self._trouble(worker.id, None)

    async def close(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.kill() for worker in self.workers))

    async def _ensure(self, worker: Worker) -> bool:
        """Have the worker's process running. If it does not start, say so, wait a while, and leave it to the caller
        to try again, perhaps with another worker that is idle.
        """
        if worker.alive:
            return True
        try:
            await worker.start()
        except (WorkerUnfitError, WorkerLostError, OSError) as error:
            worker.failed_starts += 1
            self._trouble(worker.id, f"worker {worker.id} does not start: {error}")
            log.error("worker %d does not start: %s", worker.id, error)
            first, most = STARTING_AGAIN
            await asyncio.sleep(min(first * 2 ** min(worker.failed_starts - 1, 20), most))
            return False
        worker.failed_starts = 0
        self._trouble(worker.id, None)
        return True

    def _pool_of(self, task: Task) -> Pool:
        if task.device is None:
            return self._pool
        if task.device not in self._own:
            self._own[task.device] = Pool([self._worker(device=task.device, passing=True)])
        return self._own[task.device]

    def _worker(self, *, passing: bool = False, **setup: str | int) -> Worker:
        setup_of_it = msgspec.structs.replace(self._setup, **setup)
        return Worker(next(self._worker_ids), setup_of_it, self._command, self._changed, passing=passing)


def assign(devices: tuple[str, ...], workers_per_device: int, threads: int | None) -> list[tuple[str, int]]:
    """(device, CPU threads) of each worker; `auto` is every GPU of the box, or the CPU if there is none."""
    names: list[str] = []
    for device in devices:
        if device == "auto":
            gpus = count_gpus()
            names += [f"cuda:{index}" for index in range(gpus)] or ["cpu"]
        else:
            names.append("cuda:0" if device == "cuda" else device)
    names = [name for name in dict.fromkeys(names) for _ in range(workers_per_device)]
    cores = len(os.sched_getaffinity(0))
    return [(name, threads or max(1, cores // len(names))) for name in names]


def find_device(name: str) -> str:
    """The device of this box that a person named.

    Raises:
        NasdError: There is no such device.
    """
    there = ["cpu", *(f"cuda:{index}" for index in range(count_gpus()))]
    found = "cuda:0" if name == "cuda" else name
    if found not in there:
        raise NasdError(f"there is no device {name[:40]!r} on the daemon's box: it has {', '.join(there)}")
    return found


def count_gpus() -> int:
    """How many GPUs torch will see, without importing it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([entry for entry in visible.split(",") if entry.strip() not in ("", "-1")])
    import pynvml  # noqa: PLC0415 - only where a GPU may be

    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


def _memory_kills() -> int:
    """How often the kernel has killed something on this box, or in this container, for want of memory."""
    count = 0
    for path, key in (("/proc/vmstat", "oom_kill "), ("/sys/fs/cgroup/memory.events", "oom_kill ")):
        with contextlib.suppress(OSError, ValueError), Path(path).open(encoding="ascii") as file:
            count += sum(int(line.split()[1]) for line in file if line.startswith(key))
    return count
