"""Runs, daemons with the stub worker (in this process or in one of their own), and waiting with a time limit."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from nasd.client import Client, Target
from nasd.client.aio import Connection
from nasd.config import Config
from nasd.daemon.daemon import Daemon
from nasd.errors import NotRunningError
from nasd.runs import create
from nasd.runs.verify import replay
from nasd.seeding import trial_seed
from store import Run, soundness
from tests.helpers import stub_worker
from tests.helpers.stub_worker import STUB, outcome_of

HERE = Path(__file__).parent
LIMIT = 60.0  # seconds that anything may take before a test gives up
SPACE = {
    "patch_size": 8, "min_conv": 1, "max_conv": 3, "conv_sizes": [1, 3, 5], "conv_features": [16, 32, 64],
    "large_conv_strides": [], "pool_sizes": [2], "pool_strides": [2], "max_num_fc_input": 4096,
}  # fmt: skip


CELLS = {
    "kind": "cells", "patch_size": 8, "blocks": 3, "operators": ["id", "sep3x3", "max3x3"], "lookback": 1, "filters": 8,
    "repeats": 1,
}  # fmt: skip
FIRST_LEVEL = 6  # of these cells


def searching(trials, strategy="qlearning"):
    """A `search` section of a strategy that ends after `trials` that count."""
    match strategy:
        case "qlearning":
            return {"epsilon_schedule": [[1.0, max(1, trials - 2)], [0.5, 2]], "lookahead": 1}
        case "evolution":
            return {"strategy": strategy, "trials": trials, "population": 10, "sample_size": 3, "lookahead": 1}
        case "pnas":
            k = max(1, (trials - FIRST_LEVEL) // (CELLS["blocks"] - 1))
            return {"strategy": strategy, "k": k, "surrogate": "ridge", "lookahead": 1}
        case "enas":
            return {"strategy": strategy, "epochs": trials, "lookahead": 1}
        case _:
            return {"strategy": strategy, "trials": trials, "lookahead": 1}


def configure(trials=8, strategy="qlearning", **sections):
    """A config of `trials` that count; sections as keyword arguments, such as `search={"lookahead": 3}`."""
    search = {**searching(trials, strategy), **sections.pop("search", {})}
    executor = {"devices": ["cpu"], "threads": 1, **sections.pop("executor", {})}
    plain = {"name": "stub", "space": CELLS if strategy == "pnas" else SPACE, "search": search, "executor": executor}
    if strategy == "enas":
        plain |= {"space": {"kind": "supernet", "patch_size": 8, "channels": 1}, "evaluation": {"kind": "supernet"}}
    return Config.model_validate(plain | sections)


def make(home, trials=8, strategy="qlearning", **sections):
    """A run directory for the stub worker."""
    config = configure(trials, strategy, **sections)
    directory = Path(home) / config.name
    create.create(config, directory)
    return directory


def tell(directory, *, trials=None, **orders):
    """Write the stub's orders; `trials` maps trial numbers to behaviours, of a run with seed 1."""
    if trials:
        orders["do"] = {str(trial_seed(1, number)): behaviour for number, behaviour in trials.items()}
    stub_worker.tell(directory, **orders)


def until(condition, what="what was waited for", seconds=LIMIT):
    """Ask again and again, less often as time goes by: the answers take the processor, too. The first that is true."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} has not come"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.05)
    return found


async def soon(condition, what="what was waited for", seconds=LIMIT):
    """As `until`, beside a daemon in the same loop."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} has not come"
        await asyncio.sleep(0.01)


class Live:
    """A daemon in this process."""

    def __init__(self, directory, **options):
        self.directory = directory
        self.events = []
        self.daemon = Daemon(directory, worker_command=STUB, listener=self.events.append, **options)
        self.task = asyncio.create_task(self.daemon.serve())

    @property
    def status(self):
        return self.daemon.status()

    @property
    def trials(self):
        return self.daemon.status().progress.trials

    async def state(self, *states):
        await soon(lambda: self.task.done() or self.status.state in states, f"the state {states}")
        assert not self.task.done(), self.task
        return self.status

    async def busy(self, count=1):
        """The processes of `count` workers that evaluate."""

        def pids():
            return [worker.pid for worker in self.status.workers if worker.state == "busy" and worker.stage == "train"]

        return await soon(lambda: len(pids()) >= count and pids(), "a busy worker")

    def connect(self):
        return Connection.open(Target(directory=self.directory))

    async def stop(self):
        if not self.task.done():
            self.daemon._stop.set()
        return await asyncio.wait_for(self.task, LIMIT)


@contextlib.asynccontextmanager
async def living(directory, **options):
    live = Live(directory, **options)
    try:
        await soon(lambda: live.task.done() or (directory / "daemon.sock").exists(), "the socket")
        yield live
    finally:
        (directory / "gate").unlink(missing_ok=True)
        await live.stop()


def as_from_a_terminal():
    """In a child: signals do what they do by default, also where the tests themselves were begun with `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Process:
    """A daemon in a process of its own."""

    def __init__(self, directory, constants=None, command=None, **options):
        self.directory = directory
        command = command or [sys.executable, str(HERE / "stub_daemon.py"), str(directory), json.dumps(constants or {})]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            **{"preexec_fn": as_from_a_terminal, **options},
        )  # fmt: skip

    @property
    def pid(self):
        return self.process.pid

    def ready(self):
        until(lambda: self.process.poll() is not None or self.status(), "an answer")
        assert self.process.poll() is None, self.process.stderr.read()
        return self

    def status(self):
        try:
            with self.client() as client:
                return client.status()
        except NotRunningError:
            return None

    def client(self, timeout=20.0):
        return Client.connect(Target(directory=self.directory), timeout)

    def state(self, *states):
        return until(lambda: (found := self.status()) and found.state in states and found, f"the state {states}")

    def busy(self):
        def pid():
            found = self.status()
            return found and next((w.pid for w in found.workers if w.state == "busy" and w.stage == "train"), None)

        return until(pid, "a busy worker")

    def workers(self):
        return psutil.Process(self.pid).children(recursive=True)

    def kill(self):
        """SIGKILL; all of its workers must end as well."""
        workers = self.workers()
        self.process.kill()
        self.process.wait(LIMIT)
        self.process.stderr.close()
        alive = psutil.wait_procs(workers, timeout=LIMIT)[1]
        assert not alive, "a worker outlived its daemon"

    def end(self, number=signal.SIGTERM):
        """End it by a signal; its exit code and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        said = self.process.communicate(timeout=LIMIT)[1]
        return self.process.returncode, said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.directory / "gate").unlink(missing_ok=True)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        elif not self.process.stderr.closed:
            self.process.stderr.close()


def rows(directory):
    """The trials, without what is measured."""
    with Run.open(directory) as run:
        return [{
            name: getattr(trial, name) for name in trial.__slots__
            if name not in ("finished_at", "seconds", "encode_seconds", "train_seconds", "peak_memory", "device")
        } for trial in run.trials()]  # fmt: skip


def sound(directory):
    """Check and replay a run; returns its digest."""
    with Run.open(directory) as run:
        assert [p for p in soundness.check(run) if "the next start" not in p.what] == []
        assert sum(1 for _ in replay(run)) == run.count()
        return soundness.digest(run)


def as_the_stub_says(directory):
    """Whether every evaluated trial has the outcome that belongs to its net and seed."""
    for row in rows(directory):
        if row["status"] == "evaluated":
            assert row["reward"] == outcome_of(row["net"], trial_seed(1, row["number"])).reward


@contextlib.contextmanager
def short_folder():
    """A temporary folder with a path that leaves room for a socket's."""
    folder = tempfile.mkdtemp(prefix="n", dir=os.environ.get("TMPDIR", "/tmp"))
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
