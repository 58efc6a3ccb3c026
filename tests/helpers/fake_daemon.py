"""A daemon that only speaks: the real protocol over a real socket, a made-up search behind it.

`python -m tests.helpers.fake_daemon DIRECTORY [--trials N] [--strategy NAME] [--live]` serves its `daemon.sock` until
killed.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from nasd import filters
from nasd import protocol as p
from nasd.daemon.methods import Handler, Methods
from nasd.errors import NasdError
from tests.helpers import fake_enas
from tests.helpers.fake_insight import insight
from tests.helpers.fake_search import KEYS, STAGES, World

CONFIG = """\
name: fashion-mnist
seed: 1
search:
  strategy: qlearning
  epsilon_schedule:
  - [1.0, 1500]
  - [0.9, 100]
training:
  epochs: 70
  batch_size: 128
"""


def holds(term: filters.Term, row: p.TrialRow) -> bool:
    """A few fields are enough here; the real ones are tested with the store."""
    match term.field:
        case "":
            found = str(term.value).lower() in f"{row.net} {row.status} {row.reason or ''}".lower()
        case "reward":
            sign = {"<": -1, ">": 1}[term.operator]
            found = sign * (row.reward - float(term.value)) > 0
        case "status":
            found = row.status == term.value
        case "star":
            found = row.star == term.value
        case "trial":
            found = row.number == term.value
        case "dup":
            found = (row.duplicate_of is not None) == term.value
        case _:
            raise NasdError(f"this daemon is not real: it knows no {term.field}")
    return found != term.negated


class FakeDaemon:
    """Serves a `World`. Use `start` and `stop`, or `thread` from code without a loop."""

    first: "FakeDaemon | None" = None
    """Of a test: whose list of runs the UI sees."""

    def __init__(self, directory: Path, world: World | None = None) -> None:
        FakeDaemon.first = FakeDaemon.first or self
        self.directory = directory
        self.shown = directory  # what clients are told
        self.world = world or World()
        self.protocol = p.PROTOCOL
        self.silent = False  # accepts, but answers nothing and sends nothing: a stalled link
        self.delay = 0.0  # of every answer
        self.sequence = 0
        self.requests: list[tuple[str, Any]] = []
        self.subscribers: set[asyncio.StreamWriter] = set()
        self.connections: set[asyncio.StreamWriter] = set()
        self.marks: dict[int, dict[str, Any]] = {}
        self.others: tuple[p.RunRow, ...] = ()
        self.methods = Methods(self.world.strategy, self._handlers())
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def socket(self) -> Path:
        return self.directory / "daemon.sock"

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "run.db").touch()
        self.socket.unlink(missing_ok=True)
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket), limit=p.MAX_FRAME)

    async def stop(self) -> None:
        """As if killed: everything is dropped."""
        if self._server is not None:
            self._server.close()
        for writer in list(self.connections):
            writer.transport.abort()
        self.connections.clear()
        self.subscribers.clear()
        self.socket.unlink(missing_ok=True)

    def send(self, kind: type[p.Event], **fields: Any) -> None:
        """Emit an event to every subscriber."""
        self.sequence += 1
        if self.silent:
            return
        frame = p.encode_event(kind(seq=self.sequence, time=self.world.clock, **fields))
        for writer in self.subscribers:
            writer.write(frame)

    def finish_trial(self, net: tuple[str, ...] | None = None) -> p.TrialRow:
        row = self.world.finish(net or self.world.next_net)
        self.world.restart_trial()
        self.send(p.TrialFinished, row=row, progress=self.world.progress(), best=tuple(self.world.best))
        self.say("info", f"trial {row.number} {row.status}, reward {row.reward:.4f}")
        self.send(p.WorkerChanged, worker=self.world.worker())
        return row

    def epoch(self) -> None:
        self.world.advance(1)
        self.send(p.WorkerChanged, worker=self.world.worker())

    def heartbeat(self) -> None:
        self.send(p.MachineLoad, machine=self.world.machine())

    def say(self, level: p.LogLevel, message: str, source: str = "scheduler") -> None:
        self.send(p.Logged, record=self.world.record(level, source, message))

    def turn(self, state: p.RunState, activity: str, problems: tuple[str, ...] = ()) -> None:
        self.world.state, self.world.activity, self.world.problems = state, activity, problems
        self.send(p.StateChanged, state=state, activity=activity, problems=problems)

    async def live(self, pace: float = 0.25) -> None:
        """Train, finish and beat, for ever."""
        beat = 0.0
        while True:
            await asyncio.sleep(pace)
            beat += pace
            if self.world.state == "running":
                self.world.clock += pace
                self.finish_trial() if self.world.epoch >= 70 else self.epoch()
            if beat >= 2:
                beat = 0.0
                self.heartbeat()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while line := await reader.readline():
                request = p.decode_request(line)
                while self.silent:
                    await asyncio.sleep(0.02)
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(await self._answer(request, writer))
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(writer)
            self.subscribers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, request: p.Request, writer: asyncio.StreamWriter) -> bytes:
        method = p.METHODS.get(request.method)
        if method is None:
            return p.encode_error(request.id, p.ErrorCode.UNKNOWN_METHOD, f"no method {request.method!r}")
        try:
            params = msgspec.json.decode(request.params, type=method.params)
        except msgspec.ValidationError as error:
            return p.encode_error(request.id, p.ErrorCode.INVALID_PARAMS, f"{request.method}: {error}")
        self.requests.append((request.method, params))
        if request.method == "hello":
            return self._greet(request.id, params)
        try:
            answer = await self.methods.call(request.method, params)
        except NasdError as error:
            return p.encode_error(request.id, p.ErrorCode.REFUSED, str(error))
        if request.method == "subscribe":
            self.subscribers.add(writer)
        return p.encode_result(request.id, answer)

    def _greet(self, id: Any, params: Any) -> bytes:
        if params.protocol == self.protocol:
            return p.encode_result(id, self.hello())
        newer = self.protocol > params.protocol
        sentence = f"the daemon speaks version {self.protocol} of the protocol and this client {params.protocol}: " + (
            "install the daemon's version of nasd here" if newer else "restart the daemon with this version"
        )
        return p.encode_error(id, p.ErrorCode.HANDSHAKE, sentence)

    def hello(self) -> p.Hello:
        return p.Hello(
            protocol=self.protocol,
            version="0.1.0",
            name=self.world.name,
            directory=str(self.shown),
            pid=os.getpid(),
        )

    def do_status(self, params: p.Empty) -> p.Status:
        return self.world.status(str(self.shown))

    def do_subscribe(self, params: p.Empty) -> p.Snapshot:
        return p.Snapshot(seq=self.sequence, status=self.world.status(str(self.shown)))

    def do_rewards(self, params: p.RewardsParams) -> p.Rewards:
        return self.world.reward_points(params.points)

    def do_insight(self, params: p.InsightParams) -> p.Insight:
        return insight(self.world, params.points)

    def do_machine(self, params: p.MachineParams) -> p.MachineHistory:
        return self.world.load(min(params.points, 144))

    def do_trials(self, params: p.TrialsParams) -> p.TrialPage:
        rows: list[p.TrialRow] = (
            [
                msgspec.structs.replace(row, **self.marks[row.number]) if row.number in self.marks else row
                for row in self.world.rows
            ]
            if self.marks
            else self.world.rows
        )
        if params.distinct:
            rows = [row for row in rows if row.duplicate_of is None]
        if where := filters.parse(params.where):
            rows = [row for row in rows if any(all(holds(term, row) for term in terms) for terms in where)]
        if params.text or params.status:
            text = params.text.lower()
            rows = [
                row for row in rows
                if (not params.status or row.status in params.status)
                and (not text or text in f"{row.net} {row.status} {row.reason or ''}".lower())
            ]  # fmt: skip
        if params.sort != "number":
            rows = sorted(rows, key=KEYS[params.sort])
        start, stop = params.offset, params.offset + min(params.limit, p.MAX_PAGE)
        page = rows[::-1][start:stop] if params.descending and len(rows) < 5000 else rows[start:stop]
        if params.descending and len(rows) >= 5000:
            page = rows[max(0, len(rows) - stop) : max(0, len(rows) - start)][::-1]
        if params.sizes:
            page = [
                msgspec.structs.replace(
                    row, layers=row.net.count("(") - 1, parameters=self.world.graph(row.net).parameters
                )
                for row in page
            ]
        return p.TrialPage(total=len(rows), offset=start, rows=tuple(page))

    def do_mark(self, params: p.MarkParams) -> p.TrialRow:
        given = {"star": params.star, "note": params.note}
        self.marks.setdefault(params.number, {}).update({k: v for k, v in given.items() if v is not None})
        return msgspec.structs.replace(self.world.rows[params.number - 1], **self.marks[params.number])

    def do_trial(self, params: p.TrialParams) -> p.TrialDetail:
        return self.world.detail(params.number)

    def _ordered(self) -> list[p.JobRow]:
        open_ = [job for job in self.world.jobs if job.status in ("queued", "running")]
        ended = [job for job in self.world.jobs if job.status not in ("queued", "running")]
        open_.sort(key=lambda job: (job.status != "running", -job.priority, job.id))
        return [*open_, *sorted(ended, key=lambda job: -(job.finished_at or 0))]

    def do_jobs(self, params: p.JobsParams) -> p.JobPage:
        rows = list(filter(p.JOB_LISTING.matching(params.where), self._ordered()))
        return p.JobPage(
            total=len(rows), offset=params.offset, rows=tuple(rows[params.offset : params.offset + params.limit]),
            notes=self.world.notes,
        )  # fmt: skip

    def change_job(self, job: p.JobRow) -> p.JobRow:
        self.world.jobs = [one for one in self.world.jobs if one.id != job.id] + [job]
        queued = sum(one.status == "queued" and not one.paused for one in self.world.jobs)
        self.send(p.JobChanged, job=job, queued=queued)
        return job

    def do_queue_job(self, params: p.QueueJobParams) -> p.JobRow:
        what = f"trial {params.trial}" if params.trial else params.net
        return self.change_job(
            p.JobRow(
                id=len(self.world.jobs) + 1, kind=params.kind, summary=f"retrain {what}, {params.repeats} times",
                status="queued", priority=params.priority, progress=0.0, created_at=self.world.clock,
            )
        )  # fmt: skip

    def _job(self, id: int) -> p.JobRow:
        for job in self.world.jobs:
            if job.id == id:
                return job
        raise NasdError(f"there is no job {id}")

    def do_cancel_job(self, params: p.JobParams) -> p.JobRow:
        job = self._job(params.id)
        return self.change_job(msgspec.structs.replace(job, status="cancelled", finished_at=self.world.clock))

    def do_move_job(self, params: p.MoveJobParams) -> p.JobRow:
        job = self._job(params.id)
        if params.paused is not None:
            return self.change_job(msgspec.structs.replace(job, status="queued", paused=params.paused))
        return self.change_job(msgspec.structs.replace(job, priority=params.priority))

    def do_log(self, params: p.LogParams) -> p.LogPage:
        order = ("debug", "info", "warning", "error")
        matches = p.LOG_LISTING.matching(params.where)
        rows = [
            row for row in self.world.log
            if order.index(row.level) >= order.index(params.level)
            and (params.before is None or row.id < params.before)
            and params.text.lower() in f"{row.source} {row.message}".lower()
            and matches(row)
        ]  # fmt: skip
        return p.LogPage(rows=tuple(rows[-params.limit :]), first=1)

    def do_runs(self, params: p.Empty) -> p.RunList:
        progress = self.world.progress()
        own = p.RunRow(
            name=self.world.name, directory=str(self.shown), state="running", trials=progress.trials,
            counted=progress.counted, total=progress.total, modified_at=self.world.clock,
            best_reward=self.world.best[0].reward if self.world.best else None,
        )  # fmt: skip
        return p.RunList(rows=(own, *self.others))

    def do_pause(self, params: p.Empty) -> p.Done:
        self.turn("paused", "paused: no trial is under way")
        return p.Done(message="pausing after the trial under way")

    def do_resume(self, params: p.Empty) -> p.Done:
        self.turn("running", "evaluating the next trial")
        return p.Done(message="running again")

    def do_stop(self, params: p.Empty) -> p.Done:
        self.turn("stopping", "stopping")
        return p.Done(message="the daemon stops")

    def do_checkpoint(self, params: p.Empty) -> p.Done:
        return p.Done(message="checkpoint written: trial 700 is on disk")

    def do_export(self, params: p.ExportParams) -> p.Done:
        return p.Done(message=f"{params.what} written to {self.shown}/exports/{params.what}.csv")

    def do_set(self, params: p.SetParams) -> p.Changes:
        return p.Changes(lines=tuple(f"{setting}: from now on" for setting in params.settings))

    def do_config(self, params: p.Empty) -> p.ConfigText:
        return p.ConfigText(yaml=CONFIG, changed=("search.epsilon_schedule", "training.epochs"))

    def _handlers(self) -> dict[str, Handler]:
        """Those above by their names, and the strategy's."""
        of_all = {name: getattr(self, f"do_{name}") for name in p.OF_EVERY_RUN if name != "hello"}
        world = self.world
        of_strategies: dict[str, dict[str, Handler]] = {
            "qlearning": {"qlearning.page": world.page, "qlearning.neighbours": world.neighbours},
            "evolution": {"evolution.population": world.population},
            "pnas": {"pnas.levels": world.levels, "pnas.cells": world.cells, "pnas.outcomes": world.outcomes},
            "enas": fake_enas.handlers(epochs=12),
        }
        return of_all | of_strategies.get(world.strategy, {})

    # --- for code without a loop of its own ------------------------------------------------------------------------

    @contextlib.contextmanager
    def thread(self):  # type: ignore[no-untyped-def]
        """Serve from a thread for the length of a `with`."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        self.run = lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(10)
        try:
            self.run(self.start())
            yield self
        finally:
            self.run(self.stop())
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)

    run: Callable[[Coroutine[Any, Any, None]], None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--trials", type=int, default=700)
    parser.add_argument("--strategy", choices=list(STAGES), default="qlearning")
    parser.add_argument("--live", type=float, default=0.0, help="seconds between epochs; 0: only the heartbeat")
    arguments = parser.parse_args()

    async def serve() -> None:
        daemon = FakeDaemon(arguments.directory, World(arguments.trials, strategy=arguments.strategy))
        daemon.world.clock = time.time()
        gc.freeze()  # a collection over 100,000 rows takes longer than what is measured with this daemon
        await daemon.start()
        if arguments.live:
            await daemon.live(arguments.live)
        while True:
            await asyncio.sleep(2)
            daemon.heartbeat()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
