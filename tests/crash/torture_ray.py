"""The torture of a search whose workers are actors on two nodes of a Ray cluster, on the loopback address."""

import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field

import psutil

from nasd.executors.ray import guardian
from tests.crash import torments
from tests.crash.torture import DAEMON, Torture
from tests.helpers.cluster import LOOPBACK, Cluster
from tests.helpers.nasd_harness import Process, until

NODES = "NASD_TORTURE_NODES"  # in the environment of what runs on the nodes
SILENCE = "30"  # seconds; a worker of a node is heard by way of three processes


def kill_actor(torture, directory, daemon):
    """What Ray sees of a worker; the worker ends with it."""
    found = torture.workers(daemon)
    if found:
        with contextlib.suppress(psutil.NoSuchProcess):
            torture.kill_one([torture.draw.choice(found).parent()])
    return daemon


def kill_bridge(torture, directory, daemon):
    torture.kill_one(daemon.workers())
    return daemon


def kill_raylet(torture, directory, daemon):
    """A node is gone, and another one comes."""
    raylet = torture.draw.choice(torture.nodes.raylets)
    os.kill(raylet, signal.SIGKILL)
    torture.kills += 1
    torture.nodes.raylets.remove(raylet)
    torture.nodes.raylets.append(torture.nodes.add(cpus=1))
    return daemon


KILLS = torments.KILLS | {event.__name__: event for event in (kill_actor, kill_bridge, kill_raylet)}
NOT_HERE = {"kill_the_daemon_of_stopped_workers"}  # a worker of a node has no daemon for a parent
EVENTS = {name: event for name, event in torments.EVENTS.items() if name not in NOT_HERE} | KILLS


@dataclass
class TortureOnRay(Torture):
    """Torments searches on a cluster; the reference is that of local processes."""

    events: dict = field(default_factory=lambda: EVENTS)
    often: dict = field(default_factory=lambda: KILLS)
    gone: float = guardian.LEASE + 30.0  # usually seconds; not where the raylet of a lost bridge was lost as well

    def __post_init__(self):
        os.environ |= LOOPBACK
        with _set(NODES, str(self.home)):
            self.nodes = Cluster(nodes=2, cpus=1)
        super().__post_init__()

    def close(self):
        self.nodes.close()
        super().close()

    def executor(self, directory):
        if directory.name == "reference":
            return super().executor(directory)
        return {"kind": "ray", "address": self.nodes.address, "workers": 2, "threads": 1, "scratch": str(directory)}

    def start(self, directory):
        command = [*map(str, (sys.executable, DAEMON, directory)), SILENCE]
        return Process(directory, command=command, env=self.environment, start_new_session=True)

    def workers(self, daemon):
        """Of the nodes; there is one search at a time."""
        return [one for one in _marked(NODES, str(self.home)) if "stub_worker" in " ".join(_command(one))]

    def alive(self):
        actors = [one for one in _marked(NODES, str(self.home)) if "ray::Guardian" in " ".join(_command(one))]
        return [*super().alive(), *self.workers(None), *actors]

    def wait(self, daemon):
        """Mostly until there is something to lose: a bridge takes seconds to find its cluster."""
        if self.draw.random() < 0.8:
            until(lambda: torments.at_end(daemon) or _busy(daemon), "a busy worker", 300.0)
        super().wait(daemon)

    def more(self, directory):
        """Folders of actors that were killed; the next one there would remove them."""
        return {path.name for path in directory.glob("nasd-*")}


def _busy(daemon):
    status = daemon.status()
    return status is not None and any(worker.state == "busy" for worker in status.workers)


def _marked(name, value):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # Who adopted one that has ended may not have collected it yet.
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextlib.contextmanager
def _set(name, value):
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
