"""The job queue: work that a person asked for, done before the next trial is given to a worker."""

import asyncio
import contextlib
import logging
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nasd.daemon import committing
from nasd.daemon.messages import Step
from nasd.daemon.supervisor import Supervisor, Task
from nasd.daemon.weights import WeightFiles, job_stem
from nasd.errors import NasdError
from nasd.outcome import Evaluated
from nasd.protocol import (
    MAX_FRAME,
    MAX_PAGE,
    JobPage,
    JobRow,
    JobsParams,
    JobStatus,
    MoveJobParams,
    QueueJobParams,
    Selected,
    encode,
)
from nasd.seeding import derive
from store import Delta, Job, Run, files

log = logging.getLogger("nasd.jobs")

MAX_REPEATS = 1000
MAX_PRIORITY = 1000
MAX_SELECTION = 500  # architectures that are queued together


class JobQueue:
    """Persistent: every change is a transaction, and a job goes on at the repeat that it had reached.

    Args:
        run: Where jobs and their results are kept.
        supervisor: Whose workers do them.
        seed: The run's.
        epochs: The run's, for jobs that name none.
        jobs: Those that the run knows already.
        changed: Told of every job that changes.
        trouble: Told what keeps the disk from taking a result, and None when it is over.
    """

    def __init__(
        self,
        run: Run,
        supervisor: Supervisor,
        seed: int,
        epochs: int,
        jobs: Iterable[Job],
        changed: Callable[[JobRow], None],
        trouble: Callable[[str | None], None],
    ) -> None:
        self._run, self._supervisor, self._seed, self._epochs = run, supervisor, seed, epochs
        self._changed, self._trouble = changed, trouble
        self._jobs = {job.id: job for job in jobs}
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._current: tuple[int, asyncio.Task[None]] | None = None
        self._folder = run.path / "exports" / "jobs"  # of the embeddings that jobs keep
        with contextlib.suppress(OSError):  # what cannot be removed now may be at the next start
            for name in files.names(self._folder):
                if name.startswith(files.TEMPORARY):  # of a worker that was killed
                    files.remove(self._folder / name)

    @property
    def queued(self) -> int:
        """Jobs that wait or run; a paused one does neither."""
        return sum(map(_waits, self._jobs.values()))

    def queue(self, params: QueueJobParams, chosen: Sequence[Selected]) -> JobRow:
        """Put jobs at the end of their priority, all of them or none.

        Args:
            params: As the client sent them.
            chosen: The architectures, checked; one job each.

        Returns:
            The first one.

        Raises:
            NasdError: A number is out of range.
        """
        _within("repeats", params.repeats, 1, MAX_REPEATS)
        _within("priority", params.priority, -MAX_PRIORITY, MAX_PRIORITY)
        epochs = self._epochs if params.epochs is None else params.epochs
        _within("epochs", epochs, 1, 100_000)
        if params.full and params.store_embedding:
            raise NasdError("a full training has no deep prior's embedding to store: ask for one of the two")
        _within("the number of architectures", len(chosen), 1, MAX_SELECTION)
        first = max(self._jobs, default=0) + 1
        jobs = []
        for id, one in enumerate(chosen, first):
            details: dict[str, Any] = {
                "net": one.net,
                "trial": one.trial,
                "group": one.group,
                "reward": one.reward,
                "repeats": params.repeats,
                "epochs": epochs,
                "label": params.label,
                "batch": first if params.selection else None,
                "store_embedding": params.store_embedding,
                "full": params.full,
            }
            job = Job(id=id, kind=params.kind, params=details, priority=params.priority, created_at=time.time())
            jobs.append(job)
        self._put(*jobs)
        self._wake.set()
        return to_row(jobs[0])

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
            if job.status not in ("queued", "running"):
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
        if job.status not in ("queued", "running"):
            raise NasdError(f"job {id} is {job.status} already")
        self._put(replace(job, status="cancelled", finished_at=time.time()))
        if self._current is None or self._current[0] != id:
            self._forget(self._jobs[id])
        self._interrupt(id)
        return to_row(self._jobs[id])

    def page(self, params: JobsParams) -> JobPage:
        """Open jobs in the order in which they are worked off, then the ended ones, newest first.

        Fewer than asked for where they would not fit into a frame.
        """
        open_jobs = sorted((j for j in self._jobs.values() if j.status in ("queued", "running")), key=_urgency)
        ended = sorted((j for j in self._jobs.values() if j.status not in ("queued", "running")), key=lambda j: -j.id)
        jobs = [*open_jobs, *ended]
        start, count = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
        rows: list[JobRow] = []
        taken = 0
        for job in jobs[start : start + count]:
            row = to_row(job)
            taken += len(encode(row))
            if rows and taken > MAX_FRAME // 2:
                break
            rows.append(row)
        return JobPage(total=len(jobs), offset=start, rows=tuple(rows))

    async def empty(self) -> None:
        """Wait until no job waits or runs."""
        while self.queued:
            self._ended.clear()
            await self._ended.wait()

    async def work(self) -> None:
        """Work the queue off, for ever."""
        while True:
            waiting = [job for job in self._jobs.values() if _waits(job)]
            if not waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            job = min(waiting, key=_urgency)
            task = asyncio.create_task(self._do(job.id), name=f"job-{job.id}")
            self._current = (job.id, task)
            try:
                await asyncio.wait([task])
            finally:
                self._current = None
                if not task.done():  # the daemon ends: the job goes on at the next start
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
            if not task.cancelled():
                task.result()
            self._forget(self._jobs[job.id])

    async def _do(self, id: int) -> None:
        """Evaluate the architecture once a repeat, each time with its own seed."""
        job = self._get(id)
        await self._save(replace(job, status="running", started_at=job.started_at or time.time()))
        repeats, epochs = job.params["repeats"], job.params["epochs"]
        done: list[dict[str, Any]] = list((job.result or {}).get("repeats", []))

        def step(step: Step) -> None:
            if step.epochs:
                share = (len(done) + step.epoch / step.epochs) / repeats
                self._jobs[id] = replace(self._jobs[id], progress=min(share, 1.0))  # not worth a transaction
                self._changed(to_row(self._jobs[id]))

        while len(done) < repeats:
            seed = derive(self._seed, f"job/{id}/{len(done)}")
            task = Task(net=job.params["net"], seed=seed, job=id, epochs=epochs, on_step=step)
            if job.params.get("store_embedding"):
                task.keep_above, task.staging = (lambda: -1.0), str(self._folder)
                with contextlib.suppress(OSError):  # the worker will say that it cannot write there
                    self._folder.mkdir(parents=True, exist_ok=True)
            weights = WeightFiles(job_stem(self._run.path, id, len(done) + 1), keep=True)
            if job.params.get("full"):
                task.full, task.keep_weights = True, True
                task.weights = str(job_stem(self._run.path, id, len(done) + 1))
            finished = await self._supervisor.evaluate(task)
            outcome = finished.outcome
            if not isinstance(outcome, Evaluated):
                ended = replace(self._jobs[id], status="failed", reason=outcome.reason, finished_at=time.time())
                await self._save(ended)
                log.warning("job %d failed: %s", id, outcome.reason)
                return
            done.append(
                {
                    "seed": seed,
                    "reward": outcome.reward,
                    "best_validation": max(outcome.validation_accuracies, default=None),
                    "test_accuracy": outcome.test_accuracy,
                    "validation_accuracies": list(outcome.validation_accuracies),
                    "seconds": outcome.measured.seconds,
                    "embedding": self._keep(finished.staged, f"job-{id:06}-{len(done) + 1}.zarr"),
                    "weights": list(weights.names()),
                }
            )
            await self._save(replace(self._jobs[id], result=_summary(done), progress=len(done) / repeats))
            weights.ended()
        await self._save(replace(self._jobs[id], status="done", progress=1.0, finished_at=time.time()))
        log.info("job %d done: %s", id, job.params["net"])

    def _keep(self, staged: str | None, name: str) -> str | None:
        """Give a staged embedding its name; one that a kill left there already is the same and gives way."""
        if staged is None:
            return None
        target = self._folder / name
        try:
            files.remove(target)
            files.publish(Path(staged), target)
        except OSError as error:  # the result counts, with or without its embedding
            log.warning("%s is not kept: %s", target, error)
            return None
        return str(target.relative_to(self._run.path))

    def _forget(self, job: Job) -> None:
        """Remove the checkpoint of a job that will not go on, once its worker does not write any more."""
        if job.status not in ("queued", "running"):
            repeat = len((job.result or {}).get("repeats", [])) + 1
            WeightFiles(job_stem(self._run.path, job.id, repeat), keep=True).ended()

    def _interrupt(self, id: int) -> None:
        if self._current is not None and self._current[0] == id:
            self._current[1].cancel()

    def _get(self, id: int) -> Job:
        job = self._jobs.get(id)
        if job is None:
            raise NasdError(f"there is no job {id}")
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


def to_row(job: Job) -> JobRow:
    """A job as clients see it."""
    trial = f"trial {job.params['trial']}" if job.params.get("trial") is not None else ""
    of = ", ".join(filter(None, (job.params.get("label"), job.params.get("group"), trial)))
    full = ", fully trained" if job.params.get("full") else ""
    summary = (
        f"{of}{': ' if of else ''}{job.params['repeats']} x {job.params['epochs']} epochs of {job.params['net']}{full}"
    )
    return JobRow(
        id=job.id,
        kind=job.kind,
        summary=summary,
        status=job.status,
        priority=job.priority,
        progress=job.progress,
        reason=job.reason,
        result=_without_curves(job.result),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        paused=job.status == "queued" and bool(job.params.get("paused")),
        net=job.params["net"],
        trial=job.params.get("trial"),
        repeats=job.params["repeats"],
        epochs=job.params["epochs"],
        batch=job.params.get("batch"),
        group=job.params.get("group", ""),
        reward=job.params.get("reward"),
        label=job.params.get("label", ""),
        full=bool(job.params.get("full")),
    )


def _urgency(job: Job) -> tuple[bool, bool, int, int]:
    return (job.status != "running", not _waits(job), -job.priority, job.id)


def _waits(job: Job) -> bool:
    """Whether it is to be worked off, or is being so."""
    return job.status in ("queued", "running") and not job.params.get("paused")


def _without_curves(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """A thousand repeats with their curves would not fit into a frame."""
    if result is None:
        return None
    repeats = [{name: value for name, value in r.items() if name != "validation_accuracies"} for r in result["repeats"]]
    return {**result, "repeats": repeats}


def _summary(repeats: list[dict[str, Any]]) -> dict[str, Any]:
    tests = [repeat["test_accuracy"] for repeat in repeats if repeat["test_accuracy"] is not None]
    return {
        "repeats": repeats,
        "mean_reward": statistics.fmean(repeat["reward"] for repeat in repeats),
        "mean_test_accuracy": statistics.fmean(tests) if tests else None,
        "stdev_test_accuracy": statistics.stdev(tests) if len(tests) > 1 else None,
    }


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise NasdError(f"{name} must be between {low} and {high}, not {value}")
