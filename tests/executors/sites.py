"""Executors with the stub worker, one class for each kind: what the contract needs to know of them."""

import asyncio
import os
import signal
import time

import msgspec
import psutil

from nasd.config import Config
from nasd.evaluators.orders import DeepPrior
from nasd.executors import worker
from nasd.executors.base import Task
from nasd.executors.processes.executor import Processes
from nasd.executors.ray.executor import Ray
from tests.helpers import cluster
from tests.helpers.stub_worker import STUB, tell

NET = "[C(16,3,1,1,1), SM(10)]"


def task(seed, net=NET, **other):
    return Task(order=lambda: DeepPrior(net=net, seed=seed), **{"trial": seed, **other})


def outcome(finished):
    """As the stub gives it: without where it was measured."""
    made = finished.outcome
    return msgspec.structs.replace(made, measured=msgspec.structs.replace(made.measured, device="cpu"))


async def until(condition, what="what was waited for", seconds=120.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} has not come"
        await asyncio.sleep(0.01)
    return found


class ProcessesSite:
    """Worker processes of this box. `statuses` are all that were shown, `problems` those that are, by worker."""

    STARTS_IN = 3.0  # seconds at most, also on a busy box

    def __init__(self, directory, monkeypatch):
        self.directory, self._monkeypatch = directory, monkeypatch
        self.staging = directory / "embeddings"
        self.staging.mkdir()
        self.statuses, self.problems = [], {}

    def executor(self, workers=1, **settings):
        settings = {"devices": ["cpu"], "workers_per_device": workers, "threads": 1, **settings}
        config = Config.model_validate({"executor": settings})
        made = Processes(config, "", self.staging, changed=self._changed, trouble=self._trouble, command=STUB)
        self.of = made
        return made

    def tell(self, **orders):
        tell(self.directory, **orders)

    def kill(self, status):
        os.kill(status.pid, signal.SIGKILL)

    def seconds_of_silence(self, seconds):
        self._monkeypatch.setattr(worker, "SILENCE", seconds)

    def processes(self):
        """Those that are left of its workers."""
        return [child for child in psutil.Process().children(recursive=True) if STUB[1] in _command(child)]

    def _changed(self, status):
        self.statuses.append(status)

    def _trouble(self, worker, problem):
        self.problems.pop(worker, None)
        if problem is not None:
            self.problems[worker] = problem


def _command(process):
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class RaySite(ProcessesSite):
    """Actors on a cluster of two raylets on the loopback address, which all tests of a process share."""

    STARTS_IN = 10.0

    def executor(self, workers=1, **settings):
        address = settings.get("address") or cluster.shared(self._monkeypatch).address
        settings = {"kind": "ray", "address": address, "scratch": str(self.directory), "workers": workers,
                    "threads": 1, **settings}  # fmt: skip
        config = Config.model_validate({"executor": settings})
        made = Ray(config, "", self.staging, changed=self._changed, trouble=self._trouble, command=STUB)
        self.of = made
        return made


SITES = {"processes": ProcessesSite, "ray": RaySite}
