"""A search of the digits, trained in full, on two nodes of a Ray cluster: the same run as on local processes."""

import contextlib
import tempfile
from pathlib import Path

import psutil
import pytest

from benchmarks import kill_and_compare as crash
from nasd import config as configuration
from store import Run
from tests.crash.test_crash import CONFIG, SMALL
from tests.helpers import cluster
from tests.helpers.nasd_harness import until

pytestmark = pytest.mark.crash

TRIALS = 40  # that count
FULL = ("evaluation.kind=training", *SMALL)  # their workers start without the four seconds of compiling


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="n") as name:
        yield Path(name)


def at_work(directory, due, elsewhere=""):
    """A worker that evaluates on another node than `elsewhere`, once `due` trials have counted."""
    found = crash.status(directory)
    if found is None or found.progress.counted < due:
        return None
    return next((one for one in found.workers if one.state == "busy" and one.node != elsewhere), None)


@pytest.mark.timeout(900)
def test_a_raylet_and_the_daemon_killed_change_nothing(folder, monkeypatch):
    cluster.needed()
    for name, value in cluster.LOOPBACK.items():
        monkeypatch.setenv(name, value)
    settings = (crash.schedule(TRIALS), *FULL, "search.lookahead=2")
    local = crash.make(configuration.load(CONFIG, settings), folder / "local")
    crash.undisturbed(local)
    with contextlib.closing(cluster.Cluster(nodes=2, cpus=1)) as nodes:
        ray = ("executor.kind=ray", f"executor.address={nodes.address}", "executor.workers=2",
               f"executor.scratch={folder}")  # fmt: skip
        on_ray = crash.make(configuration.load(CONFIG, (*settings, *ray)), folder / "ray")
        daemon = crash.start(on_ray)
        try:
            worker = crash.wait_until(lambda: at_work(on_ray, 5), daemon, 400)
            raylet = psutil.Process(worker.pid).parent().parent()
            assert raylet.pid in nodes.raylets
            raylet.kill()
            reached = crash.status(on_ray).progress.counted
            left = crash.wait_until(lambda: at_work(on_ray, reached + 5, worker.node), daemon, 240)
            ours = [*psutil.Process(daemon.pid).children(recursive=True), psutil.Process(left.pid)]
            daemon.kill()
            daemon.wait()
            until(lambda: not cluster.running(ours), "the end of all that it had", 120.0)
            assert crash.check(on_ray) < TRIALS
            daemon = crash.start(on_ray)
            crash.wait_until(lambda: crash.finished(on_ray), daemon, 240, crash.SELDOM)
        finally:
            crash.stop(daemon)
    crash.compare(local, on_ray)
    with Run.open(on_ray) as run:
        devices = {trial.device for trial in run.trials(status=["evaluated"])}
    assert len(devices) == 2  # each trial says which node it was on
    assert all(device.startswith("cpu of ") for device in devices)
