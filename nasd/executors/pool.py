"""Workers that stand in for one another, and who gets the next one."""

import asyncio
import heapq
import itertools

from nasd.executors.base import Task
from nasd.executors.worker import Worker

COMING_BACK = 5  # turns of the event loop in which a job's next repeat, or the next job, asks for its worker again


class Pool:
    """Workers that stand in for one another. Who waits for one gets it in turn, jobs before trials."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self._idle = list(workers)
        self._waiting: list[tuple[int, int, str | None, asyncio.Future[Worker]]] = []
        self._count = itertools.count()

    async def acquire(self, task: Task) -> Worker:
        """Wait for a worker; it is the caller's until `release`."""
        if self._idle and (task.job is not None or not self._waiting):
            return self._take(task.affinity)
        future: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (0 if task.job is not None else 1, next(self._count), task.affinity, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release(future.result())
            raise

    def add(self, worker: Worker) -> None:
        """Have one more."""
        self.workers.append(worker)
        self.release(worker)

    def shrink(self, count: int) -> list[Worker]:
        """Have no more than `count`; returns those of the others that are idle. The rest is not to be released."""
        leaving, self.workers = self.workers[count:], self.workers[:count]
        idle, self._idle = [w for w in self._idle if w in leaving], [w for w in self._idle if w not in leaving]
        return idle

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
            *_, affinity, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(self._take(affinity))

    def _take(self, affinity: str | None) -> Worker:
        """The idle worker whose last task had this affinity, else the longest idle one, if possible of those that run:
        another may have to wait for a node.
        """
        alike = (number for number, worker in enumerate(self._idle) if worker.affinity == affinity)
        running = next((number for number, worker in enumerate(self._idle) if worker.alive), 0)
        return self._idle.pop(running if affinity is None else next(alike, running))
