"""The daemon: wires the store, the strategy, the workers and the socket together and keeps them running."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from nasd import __version__, paths, protocol, rooms
from nasd import config as configuration
from nasd.box.load import Gauge
from nasd.config import Config
from nasd.daemon import answers, committing, views
from nasd.daemon import log as logs
from nasd.daemon.alerts import Alerts, low_disk
from nasd.daemon.backups import Backups
from nasd.daemon.broadcast import Broadcast
from nasd.daemon.changing import Changing
from nasd.daemon.condition import Condition
from nasd.daemon.foresight import RECALLED, Foresight
from nasd.daemon.history import History
from nasd.daemon.identity import identify
from nasd.daemon.insight import Insights
from nasd.daemon.jobs import JobQueue
from nasd.daemon.load_history import LoadHistory
from nasd.daemon.notify import Notifier
from nasd.daemon.quota import Quota
from nasd.daemon.records import Records
from nasd.daemon.scheduler import Scheduler
from nasd.daemon.server import Server
from nasd.daemon.system import on_signals, tell_systemd
from nasd.errors import NasdError
from nasd.protocol import (
    Event,
    Hello,
    JobChanged,
    JobRow,
    Logged,
    LogRecord,
    MachineLoad,
    SearchProgress,
    Status,
    TrialFinished,
    WorkerChanged,
    WorkerStatus,
)
from nasd.runs import changes
from nasd.runs import data as run_data
from nasd.runs.opening import proposal_of, search_of
from nasd.strategies.base import Closing, Progress, Strategy
from store import DamagedError, Delta, Run, StoreError, Trial

log = logging.getLogger("nasd.daemon")

HEARTBEAT = 2.0  # seconds between readings of the machine's load


class Daemon:
    """Owns one run from start to stop.

    Args:
        directory: The run.
        listener: Hears every event, as a subscriber would; for a foreground run.
        exit_when_finished: Whether to end once the search and all jobs are done.
        worker_command: How a worker on this box is started; None: as usual.

    Raises:
        StoreError: The run is missing, damaged, or owned by another daemon.
        ConfigError: Its config cannot be read.
        NasdError: Its checkpoint does not fit its config.
    """

    def __init__(
        self,
        directory: Path,
        *,
        listener: Callable[[Event], None] | None = None,
        exit_when_finished: bool = False,
        worker_command: tuple[str, ...] | None = None,
    ) -> None:
        self._directory, self._exit_when_finished = directory, exit_when_finished
        self._stop = asyncio.Event()
        self.broadcast = Broadcast(listener, deserted=self._stop.set)
        socket_path = paths.socket_path(directory)
        self.run = Run.open(directory, writable=True)
        try:
            self._build(socket_path, worker_command)
        except BaseException:
            self.run.close()
            raise

    def _build(self, socket_path: Path, worker_command: tuple[str, ...] | None) -> None:
        settled, self.space, strategy, checkpoint = search_of(self.run)
        config = run_data.located(self.run, settled)
        open_proposals = tuple(map(proposal_of, checkpoint.open))
        self.journal = logs.set_up(config.log, self._directory / "log", self._logged)
        self.history = History()
        counted = self.run.rewards()
        self.history.load(self.run.by_status(), counted.numbers, counted.rewards, counted.of_stages)
        self.insights, self.load = Insights(self._directory, self.space), LoadHistory()
        self._foresight = Foresight(self.space, self.history)
        self._foresight.recall(reversed(self.run.trials(limit=RECALLED, descending=True)))
        self._best = self.run.best(views.BEST)
        self._records = Records(self.run, config)
        self._gauge = Gauge(self._directory)
        self._machine = self._gauge.read()
        newest = self.run.trials(limit=views.RECENT, descending=True)
        self._alerts = Alerts(Notifier(config.notify, config.name, self._directory), map(views.trial_row, newest))
        self._condition = Condition(self.broadcast, self._alerts, lambda: self.scheduler)
        self._disk = partial(self._condition.problem, "disk")
        self._started_at = time.time()
        self._executor = rooms.executor(config)(
            config,
            changes.text_of(self.run) if config is settled else configuration.dump(config),
            self.run.embeddings.path,
            changed=self._worker_changed,
            trouble=lambda worker, problem: self._condition.problem(f"worker {worker}", problem),
            command=worker_command,
            identity=checkpoint.flags.get(run_data.IDENTITY),
        )
        planners = rooms.planners(config, self.run.path)
        self.scheduler = Scheduler(
            run=self.run,
            strategy=strategy,
            executor=self._executor,
            planner=planners[config.evaluation.kind],
            seed=config.seed,
            order=config.search.order,
            lookahead=config.search.lookahead or self._executor.capacity,
            keep_embeddings=config.store.keep_embeddings,
            on_trial=self._trial_finished,
            on_change=self._condition.tell,
            trouble=self._disk,
            on_failures=self._failing,
            paused=bool(checkpoint.flags.get("paused")),
        )
        self.scheduler.restore(open_proposals, checkpoint.arrived, checkpoint.trials)
        going_on = [job.id for job in checkpoint.jobs if job.status in ("queued", "running")]
        for planner in planners.values():
            planner.sweep([proposal.number for proposal in open_proposals], going_on)
        self.jobs = JobQueue(
            self.run,
            self._executor,
            planners,
            config.seed,
            config.training.epochs,
            checkpoint.jobs,
            self._job_changed,
            trouble=partial(self._condition.problem, "jobs' disk"),
        )
        self._backups = Backups(
            self._directory, config.name, config.snapshots, trouble=partial(self._condition.problem, "snapshot")
        )
        self._quota = Quota(
            self.run,
            config.store.disk_quota,
            self.scheduler.embeddings_dropped,
            trouble=partial(self._condition.problem, "quota"),
        )
        self._changing = Changing(self.run, config, self.scheduler, self._executor, self._quota, self._backups)
        self._changed = asyncio.Event()
        self.server = Server(socket_path, self._hello, answers.table(self, rooms.views(config)), self.broadcast)

    async def serve(self) -> int:
        """Run until told to stop.

        Returns:
            The exit code: 0, or 1 if the search ended by an error of the daemon's own, or by damage of the run.

        Raises:
            NasdError: The socket cannot be made.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            on_signals(self._stop.set)
            await self.server.start()
            await asyncio.to_thread(self._records.trial_finished)  # what a killed daemon did not write
            log.info("nasd %s, process %d: %s", __version__, os.getpid(), self._resumed())
            if self.run.loss is not None:
                log.warning(
                    "run.db-wal was damaged at frame %d: the last %d commits could not be read, what they held is done "
                    "again", self.run.loss.frame, self.run.loss.commits
                )  # fmt: skip
            tasks = [
                asyncio.create_task(self._search(), name="search"),
                asyncio.create_task(self._work_jobs(), name="jobs"),
                asyncio.create_task(self._beat(), name="machine"),
                asyncio.create_task(identify(self.run, self.config, self._disk), name="data"),
            ]
            self._foresight.look(self.config)
            tell_systemd("READY=1")
            await self._stop.wait()
        finally:
            tell_systemd("STOPPING=1")
            self._condition.enter("stopping")
            log.info("stopping")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._foresight.close()
            await self._executor.close()
            self._records.close()
            await self._backups.finish()
            await self._alerts.close()
            with contextlib.suppress(StoreError):  # else the next start does it
                self.run.embeddings.sweep()  # what a worker was writing
            await self.server.close()
            self.last_status = self.status()
            self.run.close()
        return 1 if "search" in self._condition.problems else 0

    # --- what runs ------------------------------------------------------------------------------------------------

    async def _search(self) -> None:
        while not self._stop.is_set():
            self._condition.enter("running")
            try:
                await self._note()
                while True:
                    await self.scheduler.search()
                    if self.strategy.finished:  # else it was lengthened as it ended
                        break
                await self._queue_trainings()
            except DamagedError as error:
                log.error("%s", error)
                self._failed(str(error))
                return
            except Exception as error:
                log.exception("the search ended by an error of its own")
                self._failed(f"the search ended by an error of its own, see the log: {error}")
                return
            await self._note()
            self._condition.enter("finished")
            self._alerts.finished(self.history.by_status.total(), self._best[0].reward if self._best else None)
            log.info("the search is finished: %d trials", self.history.by_status.total())
            if self._exit_when_finished:
                await self.jobs.empty()
                if self.strategy.finished:
                    self._stop.set()
            while self.strategy.finished:
                self._changed.clear()
                await self._changed.wait()
                if self.strategy.finished:
                    await self._queue_trainings()

    async def _queue_trainings(self) -> None:
        """Queue what a finished search wants to have trained."""
        if not isinstance(self.strategy, Closing):
            return
        try:
            await self.jobs.queue_trainings(self.strategy.trainings())
        except (StoreError, NasdError) as error:
            log.error("%s", error)
            self._condition.problem("trainings", f"what the search came to is not trained from scratch: {error}")

    def _failed(self, problem: str) -> None:
        self._condition.problem("search", problem)
        self._condition.enter("failed")
        if self._exit_when_finished:
            self._stop.set()

    async def _note(self) -> None:
        """Write down how far the search goes, for those who only look at the directory."""
        noted = {"total": self.strategy.progress().of, "finished": self.strategy.finished}
        if not noted.items() <= self.run.flags().items():
            await committing.commit(self.run, Delta(flags=noted), self._disk)

    async def _work_jobs(self) -> None:
        try:
            await self.jobs.work()
        except ExceptionGroup as group:
            log.exception("the job queue ended by an error of its own")
            errors = "; ".join(map(str, group.exceptions))
            self._condition.problem("jobs", f"the job queue ended by an error of its own, see the log: {errors}")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            measured = self._gauge.measures_disk
            try:
                machine = await asyncio.to_thread(self._gauge.read)  # a GPU's driver may hang
            except (OSError, RuntimeError) as error:  # RuntimeError: no thread could be started for it
                self._condition.problem("machine", f"the run directory cannot be looked at: {error}")
                continue
            self._machine = msgspec.structs.replace(machine, nodes=tuple(self._executor.nodes))
            self._condition.problem("machine", None)
            self.load.add(time.time(), self._machine)
            self._condition.problem("disk space", low_disk(self._machine))
            if measured:
                self._quota.keep()
            self.broadcast.publish(lambda seq: MachineLoad(seq=seq, time=time.time(), machine=self._machine))

    def _resumed(self) -> str:
        trials = self.history.by_status.total()
        return f"resumes {self.config.name} after {trials} trials" if trials else f"begins {self.config.name}"

    # --- what changes ---------------------------------------------------------------------------------------------

    def _trial_finished(self, trial: Trial, seconds: float) -> None:
        self.history.add(trial.number, trial.status, trial.stage, trial.reward, counted=trial.counted)
        self._foresight.finished(trial, seconds)
        if trial.status in ("evaluated", "early_stopped"):
            self._best = sorted([*self._best, trial], key=lambda t: (-t.reward, t.number))[: views.BEST]
        row, best = views.trial_row(trial), tuple(map(views.trial_row, self._best))
        self._alerts.trial_finished(row, best)
        self.load.trial_finished(time.time())
        progress = self._progress()
        self._backups.trial_finished(progress.trials)
        self._records.trial_finished(trial)
        self.broadcast.publish(
            lambda seq: TrialFinished(seq=seq, time=time.time(), row=row, progress=progress, best=best)
        )
        if trial.embedding is not None:
            self._quota.keep()

    def _worker_changed(self, worker: WorkerStatus) -> None:
        self.broadcast.publish(lambda seq: WorkerChanged(seq=seq, time=time.time(), worker=worker))
        self._condition.tell()

    def _job_changed(self, job: JobRow) -> None:
        self.broadcast.publish(lambda seq: JobChanged(seq=seq, time=time.time(), job=job, queued=self.jobs.queued))

    def _logged(self, record: LogRecord) -> None:
        if record.level != "debug":
            self.broadcast.publish(lambda seq: Logged(seq=seq, time=time.time(), record=record))

    def _failing(self, problem: str) -> None:
        log.error("%s", problem)
        self._condition.problem("search", problem)
        self.scheduler.pause(True)
        try:
            self._pause(True)
        except StoreError as error:
            log.error("the pause will not outlast a restart: %s", error)
        if self._exit_when_finished:  # nobody may be there to resume it
            self._stop.set()

    # --- what clients see and ask ---------------------------------------------------------------------------------

    def _hello(self) -> Hello:
        return Hello(
            protocol=protocol.PROTOCOL,
            version=__version__,
            name=self.config.name,
            directory=str(self._directory),
            pid=os.getpid(),
        )

    def status(self) -> Status:
        """The first page."""
        progress = self._progress()
        return Status(
            name=self.config.name,
            directory=str(self._directory),
            pid=os.getpid(),
            version=__version__,
            strategy=self.config.search.strategy,
            space=self.config.space.kind,
            state=self._condition.state,
            activity=self.scheduler.activity,
            progress=msgspec.structs.replace(progress, notes=(*progress.notes, *self.jobs.notes)),
            best=tuple(map(views.trial_row, self._best)),
            recent=tuple(map(views.trial_row, self.run.trials(limit=views.RECENT, descending=True))),
            workers=tuple(self._executor.workers),
            machine=self._machine,
            problems=tuple(self._condition.problems.values()),
            started_at=self._started_at,
            created_at=self.run.created_at,
            time=time.time(),
            dataset=self.config.data.name,
            jobs_queued=self.jobs.queued,
        )

    @property
    def config(self) -> Config:
        """The config that holds."""
        return self._changing.config

    @property
    def strategy(self) -> Strategy:
        """What proposes architectures."""
        return self.scheduler.strategy

    def progress(self) -> Progress:
        """Where the search is."""
        return self.strategy.progress()

    def _progress(self) -> SearchProgress:
        return self.history.progress(self.strategy.progress(), self._foresight.open(self.scheduler.open))

    async def change(self, settings: tuple[str, ...]) -> tuple[str, ...]:
        """Go on under another config; a finished search that is lengthened goes on. See `Changing.change`.

        Raises:
            NasdError: The search ended by an error, or the settings cannot be.
            StoreError: The disk refuses.
        """
        if self._condition.phase == "failed":
            raise NasdError("the search ended by an error of its own: stop the run first, then set it and start it")
        lines = await self._changing.change(settings)
        self._alerts.go_by(self.config.notify)
        self._foresight.look(self.config)
        self._changed.set()
        return lines

    def pause(self, paused: bool) -> None:
        """Pause the search, or go on.

        Raises:
            NasdError: The search is not running.
            StoreError: The disk refuses.
        """
        if self._condition.phase not in ("starting", "running"):
            raise NasdError(f"the search is {self._condition.phase}: there is nothing to pause or resume")
        if not paused:
            self._condition.problem("search", None)
        self._pause(paused)

    def stop_soon(self) -> None:
        """End the daemon once the answer to the request is out."""
        asyncio.get_running_loop().call_later(0.05, self._stop.set)
        self._condition.enter("stopping")

    def _pause(self, paused: bool) -> None:
        self.run.commit(Delta(flags={"paused": paused}))  # a reboot does not end a pause
        self.scheduler.pause(paused)
        log.info("paused" if paused else "resumed")
        self._condition.tell()
