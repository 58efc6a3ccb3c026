"""What besides can happen on a Ray cluster."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from PIL import Image

from nasd import config as configuration
from nasd.config import Config
from nasd.data import fingerprint
from nasd.errors import ConfigError
from nasd.evaluators.orders import Training
from nasd.executors.base import Task
from nasd.executors.ray import cluster as rays
from nasd.executors.ray import executor as on_ray
from nasd.executors.ray import link
from nasd.executors.ray.executor import Ray
from nasd.outcome import Evaluated
from tests.executors.sites import RaySite, outcome, task, until
from tests.helpers import cluster
from tests.helpers.cluster import running
from tests.helpers.stub_worker import outcome_of

NET = "[C(16,3,1,1,1), SM(10)]"


def busy(executor):
    return [status for status in executor.workers if status.state == "busy" and status.stage == "train"]


@pytest.fixture
async def site(tmp_path, monkeypatch):
    cluster.needed()
    made = RaySite(tmp_path, monkeypatch)
    yield made
    (tmp_path / "gate").unlink(missing_ok=True)
    await asyncio.wait_for(made.of.close(), 60)
    await until(lambda: not made.processes(), "the end of its workers")


def test_without_ray_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"ray, which is not installed: pip install 'nasd\[ray\]'"):
        RaySite(tmp_path, monkeypatch).executor(address="local")


def test_the_daemon_imports_nothing_of_ray():
    script = (
        "import sys, nasd.daemon.__main__, nasd.executors.ray.executor; "
        "assert 'nasd.executors.ray.executor' in sys.modules; "
        "assert not [name for name in sys.modules if name.split('.')[0] == 'ray']"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script], capture_output=True, text=True, check=True
    )
    assert " ray" not in {line.rpartition("|")[2].rstrip() for line in done.stderr.splitlines()}


async def test_a_cluster_of_this_box_listens_on_the_loopback_address_alone_and_ends_with_it(site, gate, soon):
    executor = site.executor(address="local")
    evaluation = asyncio.create_task(executor.evaluate(task(1)))
    await soon(lambda: busy(executor))
    of_ray = psutil.Process(executor._link._process.pid).children(recursive=True)
    servers, commands = set(), []
    for process in of_ray:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it needs not all of them for long
            servers |= {one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN}
            commands.append(process.cmdline())
    assert {ip.removeprefix("::ffff:") for ip in servers} == {"127.0.0.1"}
    assert not [one for one in commands if "dashboard.py" in " ".join(one) and "--disable-frontend" not in one]
    gate.unlink()
    assert outcome(await evaluation) == outcome_of(NET, 1)
    await executor.close()
    assert list(site.directory.glob("nasd-*")) == []
    await soon(lambda: not running(of_ray))


async def test_a_raylet_that_is_killed_costs_what_its_workers_are_at(site, gate, soon):
    shared = cluster.shared(site._monkeypatch)
    extra = shared.add(cpus=4)
    executor = site.executor(workers=3, resources={"CPU": 4}, trial_attempts=1)
    evaluations = [asyncio.create_task(executor.evaluate(task(seed))) for seed in (1, 2, 3)]
    await soon(lambda: len(busy(executor)) == 3)
    nodes = {status.node for status in executor.workers}
    assert len(nodes) == 3
    there = psutil.Process(extra).children(recursive=True)
    os.kill(extra, signal.SIGKILL)
    await soon(lambda: not running(there), "the end of its actors and workers")
    await soon(lambda: len({status.node for status in busy(executor)} & nodes) == 2)
    gate.unlink()
    assert [outcome(one) for one in await asyncio.gather(*evaluations)] == [outcome_of(NET, s) for s in (1, 2, 3)]


async def test_what_a_worker_waits_for_is_shown_and_holds_nobody_up(site, soon):
    executor = site.executor(workers=2, resources={"CPU": 4, "memory": "1 TB"})
    evaluation = asyncio.create_task(executor.evaluate(task(1)))
    waiting = await soon(lambda: [one.waits_for for one in executor.workers if one.waits_for])
    assert waiting[0].startswith("no node has 4 CPU and 1000000000000 bytes")
    evaluation.cancel()
    await asyncio.wait([evaluation])
    assert site.problems == {}


async def test_a_cluster_that_is_not_there_is_trouble_until_it_is(site, monkeypatch, soon):
    monkeypatch.setattr(link, "AGAIN", (0.1, 0.2))
    monkeypatch.setattr(link, "NO_ANSWER", 10.0)
    monkeypatch.setattr(link, "CONNECTING", 30.0)
    for name, value in cluster.LOOPBACK.items():
        monkeypatch.setenv(name, value)
    made = cluster.Cluster(nodes=1)
    try:
        executor = site.executor(address=made.address)
        assert outcome(await executor.evaluate(task(1))) == outcome_of(NET, 1)
        made.close()
        evaluation = asyncio.create_task(executor.evaluate(task(2)))
        await soon(lambda: site.problems.get(on_ray.CLUSTER))
        assert f"the Ray cluster at {made.address} cannot be reached" in site.problems[on_ray.CLUSTER]
        made = cluster.Cluster(nodes=1, port=made.address.rpartition(":")[2])
        assert outcome(await evaluation) == outcome_of(NET, 2)
        assert site.problems == {}
    finally:
        made.close()


async def test_a_bridge_that_is_killed_is_replaced(site, gate, soon):
    executor = site.executor(workers=2, trial_attempts=1)
    evaluations = [asyncio.create_task(executor.evaluate(task(seed))) for seed in (1, 2)]
    old = {status.pid for status in await soon(lambda: len(busy(executor)) == 2 and busy(executor))}
    executor._link._process.kill()
    await soon(lambda: len(busy(executor)) == 2 and not old & {status.pid for status in busy(executor)})
    await soon(lambda: not [pid for pid in old if psutil.pid_exists(pid)], "the end of its actors")
    gate.unlink()
    assert [outcome(one) for one in await asyncio.gather(*evaluations)] == [outcome_of(NET, 1), outcome_of(NET, 2)]


async def test_an_actor_that_is_killed_is_nobodys_fault(site, gate, soon):
    executor = site.executor(trial_attempts=1)
    evaluation = asyncio.create_task(executor.evaluate(task(1)))
    (status,) = await soon(lambda: busy(executor))
    psutil.Process(status.pid).parent().kill()
    gate.unlink()
    assert outcome(await evaluation) == outcome_of(NET, 1)


@pytest.mark.parametrize("which", ["bridge", "actor"])
async def test_what_stalls_is_replaced(site, gate, monkeypatch, soon, which):
    """As a network does that takes packets and gives none."""
    monkeypatch.setattr(link, "NO_ANSWER", 12.0)
    monkeypatch.setattr(link, "LEAVING", 5.0)
    site.seconds_of_silence(60.0 if which == "bridge" else 8.0)
    executor = site.executor(trial_attempts=1)
    evaluation = asyncio.create_task(executor.evaluate(task(1)))
    (status,) = await soon(lambda: busy(executor))
    actor = psutil.Process(status.pid).parent()
    stalled = psutil.Process(executor._link._process.pid) if which == "bridge" else actor
    stalled.suspend()
    gate.unlink()
    assert outcome(await evaluation) == outcome_of(NET, 1)
    await soon(lambda: not running([stalled, actor]), "the end of what stalled")


def test_a_node_that_runs_out_of_memory_blames_what_ran_there():
    ray = pytest.importorskip("ray")
    from nasd.executors.ray import slot

    cause = slot._cause(ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory"))
    assert cause == {"reason": "was ended by Ray because its node ran out of memory", "blame": True}
    lost = "Some common causes include: (1) the process was killed by the OOM killer due to high memory usage, (2) ..."
    assert not slot._cause(ray.exceptions.RayActorError(None, lost, False, False))["blame"]


class TestTrainings:
    @pytest.fixture
    def order(self, tmp_path):
        return Training(net=NET, seed=1, weights=str(tmp_path / "run" / "weights" / "trial-000001"), keep_weights=True)

    async def test_checkpoints_come_back_and_go_to_the_next_node(self, site, order, tmp_path, soon):
        site.tell(pace=0.3, train=True, epochs=100)
        executor = site.executor(checkpoint_every=0.1, trial_attempts=1)
        training = asyncio.create_task(executor.evaluate(Task(order=lambda: order, trial=1, timeout="step")))
        weights = tmp_path / "run" / "weights"
        checkpoint = weights / "trial-000001-checkpoint.safetensors"
        await soon(lambda: checkpoint.exists() and int(checkpoint.read_text()) > 0)
        site.tell(train=True, epochs=100)  # faster from here on
        site.kill(busy(executor)[0])
        assert isinstance((await training).outcome, Evaluated)
        begun = [int(line) for line in (tmp_path / "epochs").read_text().split()]
        assert begun.count(0) == 1, "the training began anew"
        assert (weights / "trial-000001-last.safetensors").read_text() == "100"
        assert [path.name for path in weights.glob(".tmp-*")] == []


def test_old_configs_run_on_processes():
    assert Config.model_validate({"executor": {"threads": 2}}).executor.kind == "processes"
    assert Config.model_validate({"executor": {"kind": "ray", "address": "auto", "devices": ["cuda"], "workers": 16,
                                               "resources": {"CPU": 4}}}).executor.workers == 16  # fmt: skip


def test_a_cluster_of_this_box_needs_shared_memory_and_says_so(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(rays, "SHARED_MEMORY", tmp_path / "none")
    with pytest.raises(rays.UnreachableError, match="which cannot be written to here"):
        rays.connect("local", 1)


def test_nothing_is_left_of_a_daemon_that_is_killed(tmp_path, monkeypatch):
    cluster.needed()
    shared = cluster.shared(monkeypatch)
    (tmp_path / "gate").touch()
    script = f"""
import asyncio, pathlib, sys
from nasd.config import Config
from nasd.executors.ray.executor import Ray
from tests.executors.sites import STUB, task
config = Config.model_validate({{"executor": {{"kind": "ray", "address": {shared.address!r}, "workers": 2,
                                             "scratch": {str(tmp_path)!r}}}}})
def changed(status):
    if status.stage == "train": print(status.pid, flush=True)
executor = Ray(config, "", pathlib.Path({str(tmp_path)!r}), changed=changed, trouble=lambda *_: None, command=STUB)
async def main(): await asyncio.gather(*(executor.evaluate(task(seed)) for seed in (1, 2)))
asyncio.run(main())
"""
    daemon = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pids = set()
    while len(pids) < 2:
        pids.add(int(daemon.stdout.readline()))
    started = [psutil.Process(pid) for pid in pids]
    actors = [each.parent() for each in started]
    bridges = psutil.Process(daemon.pid).children()
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    deadline = time.monotonic() + 60
    while left := running((*started, *actors, *bridges)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


async def test_a_node_whose_data_are_others_is_refused(site, tmp_path, monkeypatch, soon):
    """By a worker as it really is: it compares what lies there with the run's fingerprint."""
    for root, classes in (("here", "ab"), ("there", "abc")):
        for number, name in enumerate(classes):
            folder = tmp_path / root / "train" / name
            folder.mkdir(parents=True)
            Image.new("L", (8, 8), 50 * number).save(folder / "0.png")
        shutil.copytree(tmp_path / root / "train", tmp_path / root / "test")
    executor = {"kind": "ray", "address": cluster.shared(monkeypatch).address, "scratch": str(tmp_path), "threads": 1,
                "data_root": str(tmp_path / "there")}  # fmt: skip
    data = {"name": "image_folder", "root": str(tmp_path / "here"), "image_size": 8}
    config = Config.model_validate({"data": data, "executor": executor})
    site.of = Ray(
        config, configuration.dump(config), site.staging, changed=site._changed, trouble=site._trouble,
        identity=fingerprint(config.data).to_json(),
    )  # fmt: skip
    evaluation = asyncio.create_task(site.of.evaluate(task(1)))
    said = await soon(lambda: site.problems.get(0))
    assert str(tmp_path / "there") in said
    assert "class `c` is new" in said
    evaluation.cancel()
    await asyncio.gather(evaluation, return_exceptions=True)
    assert not any(status.state == "busy" for status in site.statuses)
