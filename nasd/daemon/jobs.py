"""The job queue: work that a person asked for, done before the next trial or beside the search."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import msgspec

from nasd.daemon import committing
from nasd.daemon.job_rows import is_open, page, to_row, urgency, waits
from nasd.daemon.retrain import Repeat, Retrain, Retraining, evaluator_of, summed_up
from nasd.errors import NasdError
from nasd.evaluators.base import Planner, Step
from nasd.executors.base import Executor
from nasd.outcome import Evaluated
from nasd.protocol import (
    FROM_SCRATCH,
    MAX_EPOCHS,
    MAX_PRIORITY,
    MAX_REPEATS,
    JobPage,
    JobRow,
    JobsParams,
    JobStatus,
    MoveJobParams,
    QueueJobParams,
    Selected,
)
from nasd.runs.from_scratch import ranking
from nasd.strategies.base import Training
from store import Delta, Job, Run

log = logging.getLogger("nasd.jobs")

MAX_EVALUATED = 200_000  # epochs of all repeats: the curves of all of them are one value in the database
MAX_SELECTION = 500  # architectures that are queued together


class JobQueue:
    """Persistent: every change is a transaction, and a job goes on at the repeat that it had reached.

    Args:
        run: Where jobs and their results are kept.
        executor: Whose workers do them.
        planners: Of each evaluator.
        seed: The run's.
        epochs: The run's, for jobs that name none.
        jobs: Those that the run knows already.
        changed: Told of every job that changes.
        trouble: Told what keeps the disk from taking a result, and None when it is over.
    """

    def __init__(
        self,
        run: Run,
        executor: Executor,
        planners: Mapping[str, Planner],
        seed: int,
        epochs: int,
        jobs: Iterable[Job],
        changed: Callable[[JobRow], None],
        trouble: Callable[[str | None], None],
    ) -> None:
        self._run, self._executor, self._planners, self._seed, self._epochs = run, executor, planners, seed, epochs
        self._changed, self._trouble = changed, trouble
        self._jobs = {job.id: job for job in jobs}
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._current: dict[int, asyncio.Task[None]] = {}
        self._lanes: set[str | None] = set()

    @property
    def queued(self) -> int:
        """Jobs that wait or run; a paused one does neither."""
        return sum(map(waits, self._jobs.values()))

    def planner(self, *, full: bool) -> Planner:
        """Of what evaluates a job's architectures, trained in full or not."""
        return self._planners[evaluator_of(full=full)]

    def queue(self, params: QueueJobParams, chosen: Sequence[Selected]) -> JobRow:
        """Put jobs at the end of their priority, all of them or none.

        Args:
            params: As the client sent them, the device checked.
            chosen: The architectures, checked; one job each.

        Returns:
            The first one.

        Raises:
            NasdError: A number is out of range.
        """
        _within("repeats", params.repeats, 1, MAX_REPEATS)
        _within("priority", params.priority, -MAX_PRIORITY, MAX_PRIORITY)
        epochs = self._epochs if params.epochs is None else params.epochs
        _within("epochs", epochs, 1, MAX_EPOCHS)
        _within("repeats times epochs", params.repeats * epochs, 1, MAX_EVALUATED)
        if params.full and params.store_embedding:
            raise NasdError("a full training has no deep prior's embedding to store: ask for one of the two")
        _within("the number of architectures", len(chosen), 1, MAX_SELECTION)
        first = max(self._jobs, default=0) + 1
        jobs = []
        for id, one in enumerate(chosen, first):
            retrain = Retrain(
                net=one.net,
                trial=one.trial,
                group=one.group,
                reward=one.reward,
                repeats=params.repeats,
                epochs=epochs,
                label=params.label,
                batch=first if params.selection else None,
                store_embedding=params.store_embedding,
                evaluator=evaluator_of(full=params.full),
                device=params.device,
            )
            details = msgspec.to_builtins(retrain)
            job = Job(id=id, kind=params.kind, params=details, priority=params.priority, created_at=time.time())
            jobs.append(job)
        self._put(*jobs)
        self._wake.set()
        return to_row(jobs[0])

    async def queue_trainings(self, trainings: Sequence[Training]) -> None:
        """Put the trainings that a finished search asks for at the end of the queue, however long the disk refuses.

        One of an architecture that there is one of already is not queued again, whatever became of it: at each start
        of a finished run the same ones are asked for.
        """
        known = {job.params["net"] for job in self._jobs.values() if Retrain.of(job).label == FROM_SCRATCH}
        chosen = [
            Selected(net=one.net, trial=one.trial, group=one.group, reward=one.reward)
            for one in trainings
            if one.net not in known
        ]
        if not chosen:
            return
        params = QueueJobParams(selection=tuple(chosen), label=FROM_SCRATCH, full=True)
        await committing.persist(partial(self.queue, params, chosen), self._trouble)
        log.info("%d architectures are trained from scratch", len(chosen))

    def move(self, params: MoveJobParams) -> JobRow:
        """Change a queued job's priority; pause a job, or let it go on.

        A running job that is paused stops at once and goes on later at the repeat that it had reached.

        Raises:
            NasdError: There is no such job, or it does not wait any more.
        """
        job = self._get(params.id)
        if params.priority is not None:
            _within("priority", params.priority, -MAX_PRIORITY, MAX_PRIORITY)
            if job.status != "queued":
                raise NasdError(f"job {job.id} is {job.status}: only a queued job can be moved")
            job = replace(job, priority=params.priority)
        if params.paused is not None:
            if not is_open(job):
                raise NasdError(f"job {job.id} is {job.status}: only one that waits or runs can be paused or resumed")
            status: JobStatus = "queued" if params.paused else job.status
            job = replace(job, status=status, params={**job.params, "paused": params.paused})
        self._put(job)
        if params.paused:
            self._interrupt(job.id)
        self._wake.set()
        return to_row(job)

    def cancel(self, id: int) -> JobRow:
        """Cancel a job that waits or runs.

        Raises:
            NasdError: There is no such job, or it has ended.
        """
        job = self._get(id)
        if not is_open(job):
            raise NasdError(f"job {id} is {job.status} already")
        self._put(replace(job, status="cancelled", finished_at=time.time()))
        if id not in self._current:
            self._forget(self._jobs[id])
        self._interrupt(id)
        return to_row(self._jobs[id])

    def page(self, params: JobsParams) -> JobPage:
        """Open jobs in the order in which they are worked off, then the ended ones, newest first.

        Fewer than asked for where they would not fit into a frame.
        """
        return page(self._jobs.values(), params)

    @property
    def notes(self) -> tuple[str, ...]:
        """What trainings from scratch came to, a sentence each."""
        return ranking(self._jobs.values()).sentences

    async def empty(self) -> None:
        """Wait until no job waits or runs."""
        while self.queued:
            self._ended.clear()
            await self._ended.wait()

    async def work(self) -> None:
        """Work the queue off, for ever: one job at a time on the search's workers, and one on each other device."""
        async with asyncio.TaskGroup() as lanes:
            while True:
                self._wake.clear()
                for device in {Retrain.of(job).device for job in self._jobs.values() if waits(job)} - self._lanes:
                    self._lanes.add(device)
                    lanes.create_task(self._work_on(device), name=f"jobs on {device}")
                await self._wake.wait()

    async def _work_on(self, device: str | None) -> None:
        """Do the jobs of one device, until there are none; None: those on the search's workers."""
        while waiting := [job for job in self._jobs.values() if waits(job) and Retrain.of(job).device == device]:
            job = min(waiting, key=urgency)
            task = asyncio.create_task(self._do(job.id), name=f"job-{job.id}")
            self._current[job.id] = task
            try:
                await asyncio.wait([task])
            finally:
                del self._current[job.id]
                if not task.done():  # the daemon ends: the job goes on at the next start
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
            if not task.cancelled():
                task.result()
            self._forget(self._jobs[job.id])
        if device is not None:
            await self._executor.retire(device)
        self._lanes.remove(device)
        self._wake.set()  # for what was queued meanwhile

    async def _do(self, id: int) -> None:
        """Carry a job out, from the repeat that it had reached."""
        job = self._get(id)
        await self._save(replace(job, status="running", started_at=job.started_at or time.time()))
        work = self._retraining(job)
        repeats = work.job.repeats
        done: list[Repeat] = list((job.result or {}).get("repeats", []))

        def step(step: Step) -> None:
            if step.epochs:
                share = (len(done) + step.epoch / step.epochs) / repeats
                self._jobs[id] = replace(self._jobs[id], progress=min(share, 1.0))  # not worth a transaction
                self._changed(to_row(self._jobs[id]))

        while (number := len(done) + 1) <= repeats:
            task = work.task(number)
            task.on_step = step
            finished = await self._executor.evaluate(task)
            outcome = finished.outcome
            if not isinstance(outcome, Evaluated):
                ended = replace(self._jobs[id], status="failed", reason=outcome.reason, finished_at=time.time())
                await self._save(ended)
                log.warning("job %d failed: %s", id, outcome.reason)
                return
            done.append(await work.done(number, finished, outcome))
            await self._save(replace(self._jobs[id], result=summed_up(done), progress=len(done) / repeats))
            work.forget(number)
        await self._save(replace(self._jobs[id], status="done", progress=1.0, finished_at=time.time()))
        log.info("job %d done: %s", id, work.job.net)

    def _retraining(self, job: Job) -> Retraining:
        retrain = Retrain.of(job)
        return Retraining(self._planners[retrain.evaluator], self._seed, job.id, retrain)

    def _forget(self, job: Job) -> None:
        """Remove the checkpoint of a job that will not go on, once its worker does not write any more."""
        if not is_open(job):
            self._retraining(job).forget(len((job.result or {}).get("repeats", [])) + 1)

    def _interrupt(self, id: int) -> None:
        if id in self._current:
            self._current[id].cancel()

    def _get(self, id: int) -> Job:
        job = self._jobs.get(id)
        if job is None:
            raise NasdError(f"there is no job {id}: see `nasd jobs`")
        return job

    def _put(self, *jobs: Job) -> None:
        """Save what a client asked for; raises StoreError."""
        self._run.commit(Delta(jobs=jobs))
        for job in jobs:
            self._take(job)

    async def _save(self, job: Job) -> None:
        """Save what the work itself came to, however long the disk refuses."""
        await committing.commit(self._run, Delta(jobs=(job,)), self._trouble)
        self._take(job)

    def _take(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._changed(to_row(job))
        self._ended.set()


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise NasdError(f"{name} must be between {low} and {high}, not {value}")
