"""A daemon that only speaks: the real protocol over a real socket, deterministic data behind it.

`python tests/tui/fake_daemon.py DIRECTORY [--trials N] [--live]` serves DIRECTORY/daemon.sock until killed.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import random
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from nasd import protocol as p

CREATED = 1_763_600_000.0
SCHEDULE = ((1.0, 1500), *((round(0.1 * tenth, 1), 100) for tenth in range(9, 0, -1)), (0.0, 103))
TOTAL = sum(trials for _, trials in SCHEDULE)
KEYS: dict[str, Callable[[p.TrialRow], Any]] = {
    "number": lambda row: row.number,
    "reward": lambda row: (row.reward, row.number),
    "best_validation": lambda row: (row.best_validation or -1.0, row.number),
    "test_accuracy": lambda row: (row.test_accuracy or -1.0, row.number),
    "seconds": lambda row: (row.seconds, row.number),
    "finished_at": lambda row: (row.finished_at, row.number),
}


def successors(path: tuple[str, ...], side: int) -> list[tuple[str, int, int, bool]]:
    """(text, features, side after it, terminal) of the actions of a state: small, but shaped like the real space."""
    convs = sum(1 for layer in path if layer.startswith("C"))
    found = []
    if convs < 6:
        for features in (32, 64, 128, 256):
            found += [(f"C({features},{k},1,{(k - 1) // 2},1)", features, side, False) for k in (1, 3, 5) if k < side]
            if side > 3:
                found.append((f"C({features},3,1,1,0)", features, side, False))
    if path and path[-1].startswith("C"):
        found += [(f"P({k},{k},0,0)", 0, side // k, False) for k in (2, 4) if side % k == 0 and side > k]
    if convs >= 3:
        found.append(("SM(10)", 10, 1, True))
    return found


def draw(rng: random.Random) -> tuple[str, ...]:
    """A random architecture, as layers."""
    path: tuple[str, ...] = ()
    side = 28
    while True:
        choices = successors(path, side)
        # Endings and pools are rare among the actions; favour them, so that architectures stay short.
        weights = [12 if text.startswith("SM") else 6 if text.startswith("P") else 1 for text, *_ in choices]
        text, _, side, terminal = rng.choices(choices, weights)[0]
        path += (text,)
        if terminal:
            return path


def layers_of(net: str) -> tuple[p.Layer, ...]:
    """The layers of an architecture with shapes and parameter counts."""
    side, channels, found = 28, 1, []
    for text in net.strip("[]").split(", "):
        numbers = [int(word) for word in text[text.index("(") + 1 : -1].split(",")]
        if text.startswith("C") and numbers[-1] == 1:
            kind, features, parameters = "conv", numbers[0], channels * numbers[0] * numbers[1] ** 2 + 2 * numbers[0]
        elif text.startswith("C"):
            kind, features = "wrn", numbers[0]
            parameters = 9 * channels * features + 9 * features**2 + 2 * (channels + features)
            parameters += channels * features if channels != features else 0
        elif text.startswith("P"):
            kind, features, parameters, side = "max_pool", channels, 0, side // numbers[0]
        else:
            kind, features, parameters, side = "classifier", numbers[0], channels * side * side * numbers[0], 1
        channels = features
        found.append(p.Layer(kind=kind, text=text, features=features, image_size=side, parameters=parameters))
    return tuple(found)


class World:
    """The search that the fake daemon pretends to run."""

    def __init__(self, trials: int = 700, seed: int = 1, name: str = "fashion-mnist") -> None:
        self.rng = random.Random(seed)
        self.name = name
        self.rows: list[p.TrialRow] = []
        self.rewards: list[float] = []  # of the trials that counted
        self.counted_numbers: list[int] = []
        self.first: dict[str, int] = {}
        self.best: list[p.TrialRow] = []
        self.by_status: dict[str, int] = {}
        self.clock = CREATED
        self.scale = max(1, -(-trials // TOTAL))  # a schedule long enough for the trials
        self.schedule = [(epsilon, count * self.scale) for epsilon, count in SCHEDULE]
        self.state: p.RunState = "running"
        self.activity = "evaluating the next trial"
        self.problems: tuple[str, ...] = ()
        self.jobs: list[p.JobRow] = []
        self.log: list[p.LogRecord] = []
        self.epoch = 0
        self.curve: list[float] = []
        self.train: list[float] = []
        pool = [draw(self.rng) for _ in range(4000)] if trials > 5000 else []
        for _ in range(trials):
            self.finish(self.rng.choice(pool) if pool else None)
        self.record("info", "scheduler", f"run {name} opened, {trials:,} trials")
        self.record("warning", "supervisor", "worker 0 was lost while at trial 412 (SIGKILL); trying again")
        for number in range(max(1, trials - 60), trials + 1):
            row = self.rows[number - 1] if self.rows else None
            if row is not None:
                self.record("info", "scheduler", f"trial {number} {row.status}, reward {row.reward:.4f}")
        self.next_net = draw(self.rng)
        self.advance(23)

    def phase(self, counted: int) -> tuple[int, int]:
        for index, (_, asked) in enumerate(self.schedule):
            if counted < asked or index == len(self.schedule) - 1:
                return index, counted
            counted -= asked
        raise AssertionError

    def finish(self, net: tuple[str, ...] | None = None) -> p.TrialRow:
        """One more trial."""
        rng, number = self.rng, len(self.rows) + 1
        index, _ = self.phase(len(self.rewards))
        epsilon = self.schedule[index][0]
        text = f"[{', '.join(net or draw(rng))}]"
        if self.rows and rng.random() < 0.03 + 0.10 * (1 - epsilon):
            text = self.rows[rng.randrange(len(self.rows))].net
        before = self.first.setdefault(text, number)
        seconds = round(rng.uniform(20, 60), 2)
        common = {"number": number, "net": text, "epsilon": epsilon}
        chance = rng.random()
        if before != number:
            original = self.rows[before - 1]
            same = ("reward", "counted", "best_validation", "test_accuracy", "reason")
            kept = {name: getattr(original, name) for name in same}
            row = p.TrialRow(
                status="duplicate", duplicate_of=before, seconds=0.0, finished_at=self.clock, **common, **kept
            )
        elif chance < 0.03:
            reason = "the embedding would have 25,088 values, at most 20,000 fit the classifier"
            row = p.TrialRow(
                status="infeasible", reward=0.0, counted=False, reason=reason, finished_at=self.clock, **common
            )
        elif chance < 0.045:
            reason = "CUDA error: an illegal memory access was encountered (twice, on cuda:0)"
            row = p.TrialRow(
                status="failed", reward=0.0, counted=False, reason=reason, finished_at=self.clock, seconds=3.1, **common
            )
        elif chance < 0.075:
            accuracy = round(rng.uniform(0.09, 0.14), 4)
            row = p.TrialRow(
                status="early_stopped", reward=accuracy, counted=True, best_validation=accuracy + 0.01,
                reason="10.9 % after 10 epochs, at least 15 % are asked for", seconds=seconds / 7,
                finished_at=self.clock + seconds / 7, **common,
            )  # fmt: skip
        else:
            reward = round(0.926 - abs(rng.gauss(0.10 - 0.08 * (1 - epsilon), 0.06 - 0.04 * (1 - epsilon))), 4)
            row = p.TrialRow(
                status="evaluated", reward=reward, counted=True, best_validation=round(reward + 0.006, 4),
                test_accuracy=round(reward - 0.004, 4), seconds=seconds, finished_at=self.clock + seconds,
                imported=number <= 12, embedding=f"embeddings/{number}.zarr", **common,
            )  # fmt: skip
        self.clock = row.finished_at
        self.rows.append(row)
        self.by_status[row.status] = self.by_status.get(row.status, 0) + 1
        if row.counted:
            self.rewards.append(row.reward)
            self.counted_numbers.append(number)
        if row.status == "evaluated":
            self.best = sorted([*self.best, row], key=lambda one: -one.reward)[:5]
        return row

    def advance(self, epochs: int) -> None:
        """The trial under way gets further."""
        for _ in range(epochs):
            self.epoch += 1
            level = 0.87 - 0.35 / self.epoch
            self.curve.append(round(level + self.rng.uniform(-0.012, 0.012), 4))
            self.train.append(round(level + 0.02 * self.epoch / 30, 4))

    def restart_trial(self) -> None:
        self.next_net, self.epoch, self.curve, self.train = draw(self.rng), 0, [], []

    def record(self, level: p.LogLevel, source: str, message: str) -> p.LogRecord:
        row = p.LogRecord(id=len(self.log) + 1, time=self.clock, level=level, source=source, message=message)
        self.log.append(row)
        return row

    def worker(self) -> p.WorkerStatus:
        busy = self.state in ("running", "pausing")
        return p.WorkerStatus(
            id=0, device="cuda:0", pid=4711, state="busy" if busy else "idle", trial=len(self.rows) + 1 if busy else None,  # noqa: E501
            net=f"[{', '.join(self.next_net)}]" if busy else None, stage="train" if busy else None, epoch=self.epoch,
            epochs=70, validation_accuracies=tuple(self.curve), train_accuracies=tuple(self.train),
            started_at=self.clock - 14.0, memory=3 << 30,
        )  # fmt: skip

    def machine(self) -> p.Machine:
        return p.Machine(
            cpu=0.37, memory_used=21 << 30, memory_total=128 << 30, disk_run=412 << 20, disk_free=830 << 30,
            devices=(p.Device(name="H200", utilisation=0.91, memory_used=38 << 30, memory_total=141 << 30),),
        )  # fmt: skip

    def progress(self) -> p.Progress:
        counted = len(self.rewards)
        index, done = self.phase(counted)
        total = sum(asked for _, asked in self.schedule)
        tail = self.rewards[-20:]
        left = 31.0 * (total - counted)
        return p.Progress(
            trials=len(self.rows), counted=counted, total=total, epsilon=self.schedule[index][0], phase=index,
            phase_done=done, phase_total=self.schedule[index][1], by_status=dict(self.by_status),
            rolling_reward=sum(tail) / len(tail) if tail else None, eta_seconds=left if counted else None,
            eta_low=0.9 * left if counted else None, eta_high=1.25 * left if counted else None,
        )  # fmt: skip

    def status(self, directory: str) -> p.Status:
        return p.Status(
            name=self.name, directory=directory, pid=os.getpid(), version="0.1.0", state=self.state,
            activity=self.activity, progress=self.progress(), best=tuple(self.best), recent=tuple(self.rows[-10:][::-1]),  # noqa: E501
            workers=(self.worker(),), machine=self.machine(), problems=self.problems, started_at=self.clock - 7200,
            created_at=CREATED, time=self.clock, dataset="FashionMNIST",
            jobs_queued=sum(job.status == "queued" and not job.paused for job in self.jobs),
        )  # fmt: skip

    def phases(self) -> tuple[p.Phase, ...]:
        found, start = [], 0
        for epsilon, asked in self.schedule:
            rewards = sorted(self.rewards[start : start + asked])
            if not rewards:
                found.append(p.Phase(epsilon=epsilon, count=asked, done=0))
                continue
            last = len(rewards) - 1
            quartiles = tuple(rewards[round(last * part / 4)] for part in range(5))
            edges = [bisect_left(rewards, edge / 20) for edge in range(20)] + [len(rewards)]
            found.append(
                p.Phase(
                    epsilon=epsilon, count=asked, done=len(rewards), first_trial=self.counted_numbers[start],
                    mean=sum(rewards) / len(rewards), quartiles=quartiles,  # type: ignore[arg-type]
                    histogram=tuple(edges[i + 1] - edges[i] for i in range(20)),
                )
            )  # fmt: skip
            start += asked
        return tuple(found)

    def reward_points(self, points: int) -> p.Rewards:
        total = len(self.rewards)
        chosen = sorted({round(i * (total - 1) / max(1, points - 1)) for i in range(points)}) if total else []
        found = []
        for index in chosen:
            window = self.rewards[max(0, index - 19) : index + 1]
            number = self.counted_numbers[index]
            found.append(p.RewardPoint(trial=number, mean=sum(window) / len(window), reward=self.rewards[index]))
        return p.Rewards(window=20, points=tuple(found), phases=self.phases())

    def detail(self, number: int) -> p.TrialDetail:
        row = self.rows[number - 1]
        rng = random.Random(number)
        evaluated = row.status in ("evaluated", "early_stopped")
        epochs = 70 if row.status == "evaluated" else 10
        top = row.best_validation or 0.0
        curve = (
            [round(top - 0.3 / (1 + epoch) - rng.uniform(0, 0.01), 4) for epoch in range(epochs)] if evaluated else []
        )
        train = [round(value + 0.001 * epoch / 2, 4) for epoch, value in enumerate(curve)]
        neighbours = []
        for index, layer in enumerate(row.net.strip("[]").split(", ")):
            q = 0.15 + 0.6 * rng.random()
            better = index % 3 == 2
            neighbours.append(
                p.Neighbour(
                    action=layer, q=q, tried=rng.randrange(1, 300), rank=4 if better else 1, alternatives=16,
                    best_action="C(128,5,1,2,1)" if better else layer, best_q=q + 0.03 if better else q,
                )
            )  # fmt: skip
        return p.TrialDetail(
            row=row, seed=rng.randrange(2**40) if evaluated else None, validation_accuracies=tuple(curve),
            train_accuracies=tuple(train), embedding_dim=6272 if evaluated else None,
            micro_batch=128 if evaluated else None, encode_seconds=1.62 if evaluated else 0.0,
            train_seconds=row.seconds - 1.62 if evaluated else 0.0, peak_memory=2_300 << 20 if evaluated else 0,
            device="cuda:0" if evaluated else "", layers=layers_of(row.net), neighbours=tuple(neighbours),
            duplicates=tuple(one.number for one in self.rows if one.duplicate_of == number)[:20],
        )  # fmt: skip

    def q(self, params: p.QParams) -> p.QPage:
        side = 28
        for text in params.path:
            side = next(one[2] for one in successors(params.path[: params.path.index(text)], side) if one[0] == text)
        actions = []
        for text, _, _, terminal in successors(params.path, side):
            rng = random.Random("/".join((*params.path, text)))
            tried = rng.randrange(0, 400 >> len(params.path))
            q = 0.15 + (0.7 * rng.random() if tried else 0.0)
            actions.append(p.Action(text=text, q=q, tried=tried, greedy=False, terminal=terminal))
        actions.sort(key=lambda action: -action.q)
        best = actions[0].q if actions else 0.0
        actions = [msgspec.structs.replace(action, greedy=action.q == best) for action in actions]
        return p.QPage(
            path=params.path, image_size=side, depth=sum(text.startswith("C") for text in params.path),
            actions=tuple(actions[params.offset : params.offset + params.limit]), total=len(actions),
            offset=params.offset, greedy_path=self.greedy(params.path, actions, side),
        )  # fmt: skip

    def greedy(self, path: tuple[str, ...], actions: list[p.Action], side: int) -> tuple[str, ...]:
        rng = random.Random("".join(path))
        return (actions[0].text, *(draw(rng)[-3:] if not actions[0].terminal else ())) if actions else ()


class FakeDaemon:
    """Serves a `World`. Use `start` and `stop`, or `thread` from code without a loop."""

    def __init__(self, directory: Path, world: World | None = None) -> None:
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
        self.others: tuple[p.RunRow, ...] = ()
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

    def send(self, kind: type[p._Event], **fields: Any) -> None:
        """Emit an event to every subscriber."""
        self.sequence += 1
        if self.silent:
            return
        frame = p.encode_event(kind(seq=self.sequence, time=self.world.clock, **fields))  # type: ignore[arg-type]
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
                writer.write(self._answer(request, writer))
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(writer)
            self.subscribers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    def _answer(self, request: p.Request, writer: asyncio.StreamWriter) -> bytes:
        kind, _ = p.METHODS[request.method]
        params = msgspec.json.decode(request.params, type=kind)
        self.requests.append((request.method, params))
        if request.method == "hello" and params.protocol != self.protocol:
            newer = self.protocol > params.protocol
            sentence = (
                f"the daemon speaks version {self.protocol} of the protocol and this client {params.protocol}: "
                + ("install the daemon's version of nasd here" if newer else "restart the daemon with this version")
            )
            return p.encode_error(request.id, p.ErrorCode.HANDSHAKE, sentence)
        try:
            return p.encode_result(request.id, getattr(self, f"do_{request.method}")(params, writer))
        except (LookupError, StopIteration) as error:
            return p.encode_error(request.id, p.ErrorCode.REFUSED, f"{request.method} is not possible: {error!r}")

    def do_hello(self, params: p.HelloParams, writer: Any) -> p.Hello:
        return p.Hello(
            protocol=self.protocol,
            version="0.1.0",
            name=self.world.name,
            directory=str(self.shown),
            pid=os.getpid(),
        )

    def do_status(self, params: p.Empty, writer: Any) -> p.Status:
        return self.world.status(str(self.shown))

    def do_subscribe(self, params: p.Empty, writer: asyncio.StreamWriter) -> p.Snapshot:
        self.subscribers.add(writer)
        return p.Snapshot(seq=self.sequence, status=self.world.status(str(self.shown)))

    def do_rewards(self, params: p.RewardsParams, writer: Any) -> p.Rewards:
        return self.world.reward_points(params.points)

    def do_trials(self, params: p.TrialsParams, writer: Any) -> p.TrialPage:
        rows: list[p.TrialRow] = self.world.rows
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
        return p.TrialPage(total=len(rows), offset=start, rows=tuple(page))

    def do_trial(self, params: p.TrialParams, writer: Any) -> p.TrialDetail:
        if not 1 <= params.number <= len(self.world.rows):
            raise LookupError(params.number)
        return self.world.detail(params.number)

    def do_q(self, params: p.QParams, writer: Any) -> p.QPage:
        return self.world.q(params)

    def _ordered(self) -> list[p.JobRow]:
        open_ = [job for job in self.world.jobs if job.status in ("queued", "running")]
        ended = [job for job in self.world.jobs if job.status not in ("queued", "running")]
        open_.sort(key=lambda job: (job.status != "running", -job.priority, job.id))
        return [*open_, *sorted(ended, key=lambda job: -(job.finished_at or 0))]

    def do_jobs(self, params: p.JobsParams, writer: Any) -> p.JobPage:
        rows = self._ordered()
        return p.JobPage(
            total=len(rows), offset=params.offset, rows=tuple(rows[params.offset : params.offset + params.limit])
        )

    def change_job(self, job: p.JobRow) -> p.JobRow:
        self.world.jobs = [one for one in self.world.jobs if one.id != job.id] + [job]
        queued = sum(one.status == "queued" and not one.paused for one in self.world.jobs)
        self.send(p.JobChanged, job=job, queued=queued)
        return job

    def do_queue_job(self, params: p.QueueJobParams, writer: Any) -> p.JobRow:
        what = f"trial {params.trial}" if params.trial else params.net
        return self.change_job(
            p.JobRow(
                id=len(self.world.jobs) + 1, kind=params.kind, summary=f"retrain {what}, {params.repeats} times",
                status="queued", priority=params.priority, progress=0.0, created_at=self.world.clock,
            )
        )  # fmt: skip

    def do_cancel_job(self, params: p.JobParams, writer: Any) -> p.JobRow:
        job = next(job for job in self.world.jobs if job.id == params.id)
        return self.change_job(msgspec.structs.replace(job, status="cancelled", finished_at=self.world.clock))

    def do_move_job(self, params: p.MoveJobParams, writer: Any) -> p.JobRow:
        job = next(job for job in self.world.jobs if job.id == params.id)
        if params.paused is not None:
            return self.change_job(msgspec.structs.replace(job, status="queued", paused=params.paused))
        return self.change_job(msgspec.structs.replace(job, priority=params.priority))

    def do_log(self, params: p.LogParams, writer: Any) -> p.LogPage:
        order = ("debug", "info", "warning", "error")
        rows = [
            row for row in self.world.log
            if order.index(row.level) >= order.index(params.level)
            and (params.before is None or row.id < params.before)
            and params.text.lower() in f"{row.source} {row.message}".lower()
        ]  # fmt: skip
        return p.LogPage(rows=tuple(rows[-params.limit :]), first=1)

    def do_runs(self, params: p.Empty, writer: Any) -> p.RunList:
        progress = self.world.progress()
        own = p.RunRow(
            name=self.world.name, directory=str(self.shown), state="running", trials=progress.trials,
            counted=progress.counted, total=progress.total, modified_at=self.world.clock,
            best_reward=self.world.best[0].reward if self.world.best else None,
        )  # fmt: skip
        return p.RunList(rows=(own, *self.others))

    def do_pause(self, params: p.Empty, writer: Any) -> p.Done:
        self.turn("paused", "paused: no trial is under way")
        return p.Done(message="pausing after the trial under way")

    def do_resume(self, params: p.Empty, writer: Any) -> p.Done:
        self.turn("running", "evaluating the next trial")
        return p.Done(message="running again")

    def do_stop(self, params: p.Empty, writer: Any) -> p.Done:
        self.turn("stopping", "stopping")
        return p.Done(message="the daemon stops")

    def do_checkpoint(self, params: p.Empty, writer: Any) -> p.Done:
        return p.Done(message="checkpoint written: trial 700 is on disk")

    def do_export(self, params: p.ExportParams, writer: Any) -> p.Done:
        return p.Done(message=f"{params.what} written to {self.shown}/exports/{params.what}.csv")

    def do_config(self, params: p.Empty, writer: Any) -> p.Config:
        return p.Config(yaml="name: fashion-mnist\n")

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
    parser.add_argument("--live", type=float, default=0.0, help="seconds between epochs; 0: only the heartbeat")
    arguments = parser.parse_args()

    async def serve() -> None:
        daemon = FakeDaemon(arguments.directory, World(arguments.trials))
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
