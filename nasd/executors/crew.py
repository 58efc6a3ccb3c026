"""What executors have in common: workers that are started when needed, given tasks in turn, and replaced when lost."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence

import msgspec

from nasd.box.devices import workers_of
from nasd.config import AnyExecutor, Config
from nasd.evaluators.orders import Order, short
from nasd.executors.base import Finished, Task
from nasd.executors.channel import MakeChannel, WorkerLostError, WorkerUnfitError, WorkerWaitsError
from nasd.executors.pool import Pool
from nasd.executors.work import Setup
from nasd.executors.worker import Worker
from nasd.outcome import Failed
from nasd.protocol import Node, WorkerStatus

log = logging.getLogger("nasd.worker")

STARTING_AGAIN = (0.5, 60.0)  # seconds until a worker that did not start is tried again: at first, at most
KILLS_FROM_OUTSIDE = 100  # tries of one task, however little it is to blame


class Crew:
    """Gives tasks to workers. A lost worker is replaced and its task tried again (`nasd.executors.base.Executor`).

    The search's workers are always there. A task that names a device gets a worker of its own, which stays until
    `retire`; the search's are not touched by it, and it takes as many threads as the first of them, so that a device
    gives the same results with either.

    Args:
        config: How long tasks may take, and how often they are tried.
        setup: What all workers have in common.
        devices: (device, CPU threads) of each of the search's workers.
        channel: Makes the channel of a worker.
        changed: See `nasd.executors.base.ExecutorFactory`.
        trouble: The same.
    """

    def __init__(
        self,
        config: AnyExecutor,
        setup: Setup,
        devices: Sequence[tuple[str, int]],
        channel: MakeChannel,
        *,
        changed: Callable[[WorkerStatus], None],
        trouble: Callable[[int, str | None], None],
    ) -> None:
        self._timeout, self._attempts, self._trouble = config.trial_timeout, config.trial_attempts, trouble
        self._setup = msgspec.structs.replace(setup, threads=devices[0][1])
        self._channel, self._changed = channel, changed
        self.nodes: Sequence[Node] = ()
        self._ids, self._worker_ids = itertools.count(1), itertools.count()
        self._pool = Pool([self._worker(device=device, threads=threads) for device, threads in devices])
        self._own: dict[str, Pool] = {}
        self._proof: Order | None = None  # what was carried out here: a box on which it works again is sound

    @property
    def capacity(self) -> int:
        """The search's workers."""
        return len(self._pool.workers)

    @property
    def workers(self) -> list[WorkerStatus]:
        """The search's, then those of jobs with a device of their own."""
        return [worker.status for worker in self._workers]

    async def evaluate(self, task: Task) -> Finished:
        """See `nasd.executors.base.Executor`. A task is tried `executor.trial_attempts` times where it may itself be
        to blame for the loss of its worker, and `KILLS_FROM_OUTSIDE` times where it is not. Where the box lacks
        something, it is tried until the box has it; only if other work succeeds there meanwhile is the task to blame.
        """
        blamed = lost = faults = 0
        pool = self._pool_of(task)
        while True:
            worker = await pool.acquire(task)
            try:
                if not await self._ensure(worker):
                    continue
                task.running = True
                finished, fault = await worker.run(task, next(self._ids), self._timeout)
                if fault is not None:
                    faults += 1
                    task.running = False
                    if not await self._wait_out(worker, task, fault, faults):
                        continue
                else:
                    self._works(worker, task)
            except WorkerLostError as error:
                task.running = False
                if error.fault is not None:
                    faults += 1
                    if await self._wait_out(worker, task, error.fault, faults):
                        return Finished(Failed(reason=f"the worker {error}"))
                    continue
                lost += 1
                blamed += error.blame
                log.warning("worker %d %s at %s (try %d)", worker.id, error, task.purpose, lost)
                if blamed >= self._attempts or lost >= KILLS_FROM_OUTSIDE:
                    tries = f" (the last of {lost} tries)" if lost > 1 else ""
                    return Finished(Failed(reason=f"the worker {error}{tries}"))
            else:
                return finished
            finally:
                task.running = False
                if worker in pool.workers:
                    pool.release(worker)
                else:  # there are to be fewer
                    await self._leave(worker)

    async def renew(self, config: Config, text: str, *, workers: bool) -> bool:
        """See `nasd.executors.base.Executor`. A worker that stays is started anew when it is to take its next task."""
        executor = config.executor
        self._timeout, self._attempts = executor.trial_timeout, executor.trial_attempts
        if not workers:
            return True
        devices = workers_of(executor)
        self._setup = msgspec.structs.replace(
            self._setup, config=text, threads=devices[0][1], memory_limit=executor.memory_limit
        )
        ours = self._pool.workers
        for worker, (device, threads) in zip(ours, devices, strict=False):
            worker.renew(msgspec.structs.replace(self._setup, device=device, threads=threads))
        for device, pool in self._own.items():
            for worker in pool.workers:
                worker.renew(msgspec.structs.replace(self._setup, device=device))
        for worker in self._pool.shrink(len(devices)):
            await self._leave(worker)
        for device, threads in devices[len(ours) :]:
            self._pool.add(self._worker(device=device, threads=threads))
        return True

    async def _leave(self, worker: Worker) -> None:
        worker.passing = True
        await worker.kill()
        self._trouble(worker.id, None)

    async def retire(self, device: str) -> None:
        """End the worker that tasks had on a device of their own; the next one gets a new worker."""
        pool = self._own.pop(device, None)
        for worker in pool.workers if pool else ():
            await self._leave(worker)

    async def close(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.kill() for worker in self._workers))

    @property
    def _workers(self) -> list[Worker]:
        return [worker for pool in (self._pool, *self._own.values()) for worker in pool.workers]

    async def _ensure(self, worker: Worker) -> bool:
        """Have the worker's process running. If it does not start, say so, wait a while, and leave it to the caller
        to try again, perhaps with another worker that is idle.
        """
        if worker.alive and not worker.outdated:
            return True
        try:
            if worker.alive:
                await worker.kill()
            await worker.start()
        except WorkerWaitsError as error:
            self._trouble(worker.id, None)
            worker.wait_for(str(error))
            return False
        except (WorkerUnfitError, WorkerLostError, OSError) as error:
            worker.failed_starts += 1
            self._trouble(worker.id, f"worker {worker.id} does not start: {error}")
            log.error("worker %d does not start: %s", worker.id, error)
            first, most = STARTING_AGAIN
            await asyncio.sleep(min(first * 2 ** min(worker.failed_starts - 1, 20), most))
            return False
        worker.failed_starts = 0
        if not worker.faults:
            self._trouble(worker.id, None)
        return True

    async def _wait_out(self, worker: Worker, task: Task, fault: str, count: int) -> bool:
        """Say what the box lacks and wait a while; returns whether the task is to blame all the same, because work that
        succeeded before does so again where it does not.

        Args:
            worker: Which met it; it is ended.
            task: What it was at.
            fault: What the box lacks.
            count: How often this task met a fault.
        """
        worker.faults += 1
        log.error("worker %d: the box is at fault at %s, not the task: %s", worker.id, task.purpose, fault)
        self._trouble(worker.id, f"{task.purpose} waits, the box is at fault: {fault}")
        first, most = STARTING_AGAIN
        await asyncio.sleep(min(first * 2 ** min(worker.faults - 1, 20), most))
        if count < self._attempts or self._proof is None or not await self._ensure(worker):
            return False
        try:
            proof = self._proof
            ran = await worker.run(Task(order=lambda: proof), next(self._ids), self._timeout)
        except WorkerLostError:
            return False
        sound = ran.fault is None
        if sound:
            self._works(worker, task)
        return sound

    def _works(self, worker: Worker, task: Task) -> None:
        """The box has what it takes: note it, and what shows it."""
        if worker.faults:
            worker.faults = 0
            self._trouble(worker.id, None)
        if task.running:
            self._proof = short(worker.order) or self._proof

    def _pool_of(self, task: Task) -> Pool:
        if task.device is None:
            return self._pool
        if task.device not in self._own:
            self._own[task.device] = Pool([self._worker(device=task.device, passing=True)])
        return self._own[task.device]

    def _worker(self, *, passing: bool = False, **setup: str | int) -> Worker:
        setup_of_it = msgspec.structs.replace(self._setup, **setup)
        number = next(self._worker_ids)
        channel = self._channel(number)
        return Worker(number, setup_of_it, channel, lambda worker: self._changed(worker.status), passing=passing)
