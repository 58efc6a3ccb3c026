"""The daemon: wires the store, the strategy, the workers and the socket together and keeps them running."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from nasd import __version__, paths, protocol
from nasd import config as configuration
from nasd.box.devices import assign, find_device
from nasd.box.load import Gauge
from nasd.daemon import committing, views
from nasd.daemon import log as logs
from nasd.daemon.backups import Backups
from nasd.daemon.history import History
from nasd.daemon.jobs import JobQueue
from nasd.daemon.records import Records
from nasd.daemon.scheduler import Scheduler
from nasd.daemon.server import Server
from nasd.errors import ConfigError, NasdError
from nasd.evaluators.deep_prior.screening import Screen
from nasd.evaluators.training import weight_files as weights
from nasd.executors.processes.executor import Supervisor
from nasd.executors.processes.worker_process import WORKER_COMMAND, Worker
from nasd.protocol import (
    Event,
    Hello,
    JobChanged,
    JobRow,
    Logged,
    LogRecord,
    MachineLoad,
    RunState,
    Snapshot,
    StateChanged,
    Status,
    TrialFinished,
    WorkerChanged,
)
from nasd.runs.exchange import export
from nasd.runs.overview import run_row
from nasd.spaces.layers import SearchSpace
from nasd.strategies.qlearning.strategy import QLearning
from store import Delta, Run, StoreError, Trial

log = logging.getLogger("nasd.daemon")

HEARTBEAT = 2.0  # seconds between readings of the machine's load


class Daemon:
    """Owns one run from start to stop.

    Args:
        directory: The run.
        listener: Hears every event, as a subscriber would; for a foreground run.
        exit_when_finished: Whether to end once the search and all jobs are done.
        worker_command: How a worker is started.

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
        worker_command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        self._directory, self._listener, self._exit_when_finished = directory, listener, exit_when_finished
        socket_path = paths.socket_path(directory)
        self._run = Run.open(directory, writable=True)
        try:
            self._build(socket_path, worker_command)
        except BaseException:
            self._run.close()
            raise

    def _build(self, socket_path: Path, worker_command: tuple[str, ...]) -> None:
        self.config = config = configuration.parse(self._run.config, source=str(self._directory / "config.yaml"))
        self._journal = logs.set_up(config.log, self._directory / "log", self._logged)
        checkpoint = self._run.checkpoint()
        self._space = SearchSpace(config.space)
        self._strategy = QLearning(config, self._space)
        try:
            self._strategy.load_state_dict({name: getattr(checkpoint, name) for name in _STRATEGY_PARTS})
        except ValueError as error:
            raise NasdError(f"the checkpoint in {self._directory} does not fit its config: {error}") from error
        if not self._run.config_is_as_created:
            raise ConfigError(
                f"{self._directory / 'config.yaml'} was changed after the run was created: put back what was there, or "
                "make another run with it"
            )
        self._history = History(config.search.epsilon_schedule)
        counted = self._run.rewards()
        self._history.load(self._run.by_status(), counted.numbers, counted.rewards)
        self._best = self._run.best(views.BEST)
        self._records = Records(self._run, config)
        self._gauge = Gauge(self._directory)
        self._machine = self._gauge.read()
        self._problems: dict[str, str] = {}
        self._state: RunState = "starting"
        self._shown: tuple[str, str, tuple[str, ...]] | None = None
        self._started_at = time.time()
        self._stop = asyncio.Event()
        executor = config.executor
        self._supervisor = Supervisor(
            self._run.config,
            assign(executor.devices, executor.workers_per_device, executor.threads),
            self._run.embeddings.path,
            timeout=executor.trial_timeout,
            attempts=executor.trial_attempts,
            memory_limit=executor.memory_limit,
            changed=self._worker_changed,
            trouble=lambda worker, problem: self._problem(f"worker {worker}", problem),
            command=worker_command,
        )
        self._scheduler = Scheduler(
            run=self._run,
            strategy=self._strategy,
            supervisor=self._supervisor,
            seed=config.seed,
            order=config.search.order,
            lookahead=config.search.lookahead or len(self._supervisor.workers),
            keep_embeddings=config.store.keep_embeddings,
            on_trial=self._trial_finished,
            on_change=self._show,
            trouble=lambda problem: self._problem("disk", problem),
            on_failures=self._failing,
            full=config.evaluation == "full",
            screen=Screen(screen.keep, screen.after) if (screen := config.training.screen) else None,
            paused=bool(checkpoint.flags.get("paused")),
        )
        self._scheduler.restore(self._strategy.open_proposals(), checkpoint.arrived, checkpoint.trials)
        weights.sweep(
            self._directory,
            trials=[proposal.number for proposal in self._strategy.open_proposals()],
            jobs=[job.id for job in checkpoint.jobs if job.status in ("queued", "running")],
        )
        self._jobs = JobQueue(
            self._run,
            self._supervisor,
            config.seed,
            config.training.epochs,
            checkpoint.jobs,
            self._job_changed,
            trouble=lambda problem: self._problem("jobs' disk", problem),
        )
        self._backups = Backups(
            self._directory, config.name, config.checkpoint, trouble=lambda problem: self._problem("snapshot", problem)
        )
        self._server = Server(socket_path, self._hello, self._handle)

    async def serve(self) -> int:
        """Run until told to stop.

        Returns:
            The exit code: 0, or 1 if the search ended by an error of the daemon's own.

        Raises:
            NasdError: The socket cannot be made.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            _on_signals(self._stop.set)
            await self._server.start()
            await asyncio.to_thread(self._records.trial_finished)  # what a killed daemon did not write
            log.info("nasd %s, process %d: %s", __version__, os.getpid(), self._resumed())
            if self._run.loss is not None:
                log.warning(
                    "run.db-wal was damaged at frame %d: the last %d commits could not be read, what they held is done "
                    "again", self._run.loss.frame, self._run.loss.commits
                )  # fmt: skip
            tasks = [
                asyncio.create_task(self._search(), name="search"),
                asyncio.create_task(self._work_jobs(), name="jobs"),
                asyncio.create_task(self._beat(), name="machine"),
            ]
            notify("READY=1")
            await self._stop.wait()
        finally:
            notify("STOPPING=1")
            self._set("stopping")
            log.info("stopping")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._supervisor.close()
            self._records.close()
            await self._backups.finish()
            with contextlib.suppress(StoreError):  # else the next start does it
                self._run.embeddings.sweep()  # what a worker was writing
            await self._server.close()
            self.last_status = self.status()
            self._run.close()
        return 1 if "search" in self._problems else 0

    # --- what runs ------------------------------------------------------------------------------------------------

    async def _search(self) -> None:
        self._set("running")
        try:
            await self._note_total()
            await self._scheduler.search()
        except Exception as error:
            log.exception("the search ended by an error of its own")
            self._problem("search", f"the search ended by an error of its own, see the log: {error}")
            self._set("failed")
            if self._exit_when_finished:
                self._stop.set()
            return
        self._set("finished")
        log.info("the search is finished: %d trials", self._history.by_status.total())
        if self._exit_when_finished:
            await self._jobs.empty()
            self._stop.set()

    async def _note_total(self) -> None:
        """Write down what the schedule asks for, for those who only look at the directory."""
        if self._run.flags().get("total") != self.config.total_trials:
            noted = Delta(flags={"total": self.config.total_trials})
            await committing.commit(self._run, noted, lambda problem: self._problem("disk", problem))

    async def _work_jobs(self) -> None:
        try:
            await self._jobs.work()
        except ExceptionGroup as group:
            log.exception("the job queue ended by an error of its own")
            errors = "; ".join(map(str, group.exceptions))
            self._problem("jobs", f"the job queue ended by an error of its own, see the log: {errors}")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            measured = self._gauge.measures_disk
            try:
                self._machine = await asyncio.to_thread(self._gauge.read)  # a GPU's driver may hang
            except OSError as error:
                self._problem("machine", f"the run directory cannot be looked at: {error}")
                continue
            self._problem("machine", None)
            if measured:
                self._keep_quota()
            self._publish(lambda seq: MachineLoad(seq=seq, time=time.time(), machine=self._machine))

    def _keep_quota(self) -> None:
        """Drop embeddings, the worst reward's first, until the run directory is within its quota."""
        if self.config.store.disk_quota is not None:
            try:
                self._problem("quota", self._over_quota(self.config.store.disk_quota))
            except (StoreError, OSError) as error:
                self._problem("quota", f"the disk quota cannot be kept: {error}")

    def _over_quota(self, quota: int) -> str | None:
        """Make room; returns what a person has to do if that is not enough."""
        used, embeddings = self._run.size_on_disk(), self._run.embeddings
        if used <= quota:
            return None
        rest = used - embeddings.size()  # what is not an embedding stays
        dropped, rewards = embeddings.over_quota(max(quota - rest, 0)), embeddings.kept()
        if dropped:
            self._run.commit(Delta(dropped_embeddings=dropped))
            self._scheduler.embeddings_dropped(max(rewards[number] for number in dropped))
            log.warning("over the disk quota: dropped the embeddings of trials %s", ", ".join(map(str, dropped)))
        if rest <= quota:
            return None
        return f"the run takes {rest} bytes without embeddings, its disk_quota is {quota}: make room, or make a new run"

    def _resumed(self) -> str:
        trials = self._history.by_status.total()
        return f"resumes {self.config.name} after {trials} trials" if trials else f"begins {self.config.name}"

    # --- what changes ---------------------------------------------------------------------------------------------

    def _publish(self, make: Callable[[int], Event]) -> None:
        self._server.publish(make)
        if self._listener is not None:
            try:
                self._listener(make(self._server.seq))
            except OSError:  # the terminal, or what the progress was piped into, is gone
                self._listener = None
                self._stop.set()

    def _trial_finished(self, trial: Trial, seconds: float) -> None:
        self._history.add(trial.number, trial.status, trial.reward, counted=trial.counted, seconds=seconds)
        if trial.status in ("evaluated", "early_stopped"):
            self._best = sorted([*self._best, trial], key=lambda t: (-t.reward, t.number))[: views.BEST]
        row, best = views.trial_row(trial), tuple(map(views.trial_row, self._best))
        progress = self._history.progress()
        self._backups.trial_finished(progress.trials)
        self._records.trial_finished(trial)
        self._publish(lambda seq: TrialFinished(seq=seq, time=time.time(), row=row, progress=progress, best=best))
        if trial.embedding is not None:
            self._keep_quota()

    def _worker_changed(self, worker: Worker) -> None:
        status = worker.status
        self._publish(lambda seq: WorkerChanged(seq=seq, time=time.time(), worker=status))
        self._show()

    def _job_changed(self, job: JobRow) -> None:
        self._publish(lambda seq: JobChanged(seq=seq, time=time.time(), job=job, queued=self._jobs.queued))

    def _logged(self, record: LogRecord) -> None:
        if record.level != "debug" and hasattr(self, "_server"):
            self._publish(lambda seq: Logged(seq=seq, time=time.time(), record=record))

    def _problem(self, of: str, problem: str | None) -> None:
        if problem is None:
            self._problems.pop(of, None)
        else:
            self._problems[of] = problem
        self._show()

    def _failing(self, problem: str) -> None:
        log.error("%s", problem)
        self._problem("search", problem)
        self._scheduler.pause(True)
        try:
            self._pause(True)
        except StoreError as error:
            log.error("the pause will not outlast a restart: %s", error)
        if self._exit_when_finished:  # nobody may be there to resume it
            self._stop.set()

    def _set(self, state: RunState) -> None:
        self._state = state
        self._show()

    @property
    def state(self) -> RunState:
        """What the daemon is at, pauses included."""
        if self._state == "running" and self._scheduler.paused:
            return "pausing" if self._scheduler.busy else "paused"
        return self._state

    def _show(self) -> None:
        """Tell subscribers if state, activity or problems are not what they heard last."""
        now = (self.state, self._scheduler.activity, tuple(self._problems.values()))
        if now != self._shown:
            self._shown = now
            self._publish(
                lambda seq: StateChanged(seq=seq, time=time.time(), state=now[0], activity=now[1], problems=now[2])
            )

    # --- what clients ask -----------------------------------------------------------------------------------------

    def _hello(self) -> Hello:
        return Hello(
            protocol=protocol.PROTOCOL,
            version=__version__,
            name=self.config.name,
            directory=str(self._directory),
            pid=os.getpid(),
        )

    async def _handle(self, method: str, params: Any) -> msgspec.Struct:
        try:
            answer: msgspec.Struct | Awaitable[msgspec.Struct] = getattr(self, f"_do_{method}")(params)
            return answer if isinstance(answer, msgspec.Struct) else await answer
        except StoreError as error:  # a full disk is the client's to know, not a fault of the daemon
            raise NasdError(str(error)) from error

    def status(self) -> Status:
        """The first page."""
        return Status(
            name=self.config.name,
            directory=str(self._directory),
            pid=os.getpid(),
            version=__version__,
            state=self.state,
            activity=self._scheduler.activity,
            progress=self._history.progress(),
            best=tuple(map(views.trial_row, self._best)),
            recent=tuple(map(views.trial_row, self._run.trials(limit=views.RECENT, descending=True))),
            workers=tuple(worker.status for worker in self._supervisor.workers),
            machine=self._machine,
            problems=tuple(self._problems.values()),
            started_at=self._started_at,
            created_at=self._run.created_at,
            time=time.time(),
            dataset=self.config.data.name,
            jobs_queued=self._jobs.queued,
        )

    def _do_status(self, _: protocol.Empty) -> Status:
        return self.status()

    def _do_subscribe(self, _: protocol.Empty) -> Snapshot:
        return Snapshot(seq=self._server.seq, status=self.status())

    def _do_rewards(self, params: protocol.RewardsParams) -> protocol.Rewards:
        return self._history.rewards(params.points)

    def _do_trials(self, params: protocol.TrialsParams) -> protocol.TrialPage:
        return views.trial_page(self._run, params)

    def _do_trial(self, params: protocol.TrialParams) -> protocol.TrialDetail:
        return views.trial_detail(self._run, self._space, self._strategy, params.number)

    def _do_q(self, params: protocol.QParams) -> protocol.QPage:
        return views.q_page(self._strategy, self._space, params)

    def _do_jobs(self, params: protocol.JobsParams) -> protocol.JobPage:
        return self._jobs.page(params)

    async def _do_queue_job(self, params: protocol.QueueJobParams) -> JobRow:
        if self.config.evaluation == "full":  # there is nothing else to do with an architecture here
            params = msgspec.structs.replace(params, full=True)
        if params.device is not None:
            device = await asyncio.to_thread(find_device, params.device)  # a GPU's driver may hang
            params = msgspec.structs.replace(params, device=device)
        return self._jobs.queue(params, views.chosen(self._run, self._space, params, full=params.full))

    def _do_cancel_job(self, params: protocol.JobParams) -> JobRow:
        return self._jobs.cancel(params.id)

    def _do_move_job(self, params: protocol.MoveJobParams) -> JobRow:
        return self._jobs.move(params)

    def _do_log(self, params: protocol.LogParams) -> protocol.LogPage:
        return self._journal.page(params)

    def _do_runs(self, _: protocol.Empty) -> protocol.RunList:
        return protocol.RunList(rows=tuple(run_row(path) for path in paths.runs(self._directory.parent)))

    def _do_config(self, _: protocol.Empty) -> protocol.Config:
        return protocol.Config(yaml=self._run.config)

    def _do_pause(self, _: protocol.Empty) -> protocol.Done:
        self._require_search()
        self._pause(True)
        busy = self._scheduler.busy
        return protocol.Done(message="pausing: the evaluation under way comes to its end" if busy else "paused")

    def _do_resume(self, _: protocol.Empty) -> protocol.Done:
        self._require_search()
        self._problem("search", None)
        self._pause(False)
        return protocol.Done(message="running")

    def _pause(self, paused: bool) -> None:
        self._run.commit(Delta(flags={"paused": paused}))  # a reboot does not end a pause
        self._scheduler.pause(paused)
        log.info("paused" if paused else "resumed")
        self._show()

    def _do_stop(self, _: protocol.Empty) -> protocol.Done:
        # Not at once: the answer goes out first.
        asyncio.get_running_loop().call_later(0.05, self._stop.set)
        self._set("stopping")
        return protocol.Done(message="stopping; `nasd start` goes on from the last finished trial")

    def _do_checkpoint(self, _: protocol.Empty) -> protocol.Done:
        trials = self._run.sync()
        return protocol.Done(message=f"{trials} trials are on disk, the database is in one file")

    async def _do_export(self, params: protocol.ExportParams) -> protocol.Done:
        path = self._directory / "exports" / f"{params.what}.csv"

        def write() -> int:  # seconds, for a long run: with a connection of its own, beside the search
            with Run.open(self._directory) as run:
                return export(run, params.what, path)

        rows = await asyncio.to_thread(write)
        return protocol.Done(message=f"wrote {rows} rows to {path}")

    def _require_search(self) -> None:
        if self._state not in ("starting", "running"):
            raise NasdError(f"the search is {self._state}: there is nothing to pause or resume")


_STRATEGY_PARTS = ("position", "states", "transitions", "q_values", "paths", "rewards", "numbers", "open")


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # the terminal is gone; `nohup` says not to mind
        loop.add_signal_handler(signal.SIGHUP, stop)


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect("\0" + address[1:] if address.startswith("@") else address)
            connection.sendall(state.encode())
