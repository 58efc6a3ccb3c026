"""Gives tasks to workers, which are started when needed and replaced when gone or late."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from nasd.executors.processes.messages import Finished, Setup
from nasd.executors.processes.pool import Pool
from nasd.executors.processes.worker_process import WORKER_COMMAND, Task, Worker, WorkerLostError, WorkerUnfitError
from nasd.outcome import Failed

log = logging.getLogger("nasd.worker")

STARTING_AGAIN = (0.5, 60.0)  # seconds until a worker that did not start is tried again: at first, at most
KILLS_FROM_OUTSIDE = 100  # tries of one task, however little it is to blame


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
