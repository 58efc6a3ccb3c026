"""Jobs with a device of their own: beside the search, which does not notice."""

import asyncio

import pytest
from click.testing import CliRunner

from nasd import protocol
from nasd.box import devices
from nasd.cli import cli
from nasd.client import RemoteError
from store import Run
from tests.helpers.nasd_harness import Process, living, make, soon, sound, tell, until

NET = "[C(16,3,1,1,1), SM(10)]"


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch):
    """As far as the daemon knows; the stub worker needs none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_driver_gpus", lambda: 2)
    monkeypatch.setenv("STUB_GPUS", "2")  # in a process of its own


def retrain(device, **params):
    return protocol.QueueJobParams(**{"net": NET, "device": device, **params})


def jobs_at_work(live):
    """(device, job) of each worker that does one."""
    return sorted((worker.device, worker.job) for worker in live.status.workers if worker.job is not None)


def statuses(live):
    return {job.id: job.status for job in live.daemon.jobs._jobs.values()}


async def searched(directory):
    async with living(directory) as live:
        await live.state("finished")
    return sound(directory)


async def test_it_runs_beside_the_search_and_changes_nothing_of_it(home):
    alone = await searched(make(home, 8, name="alone"))
    directory = make(home, 8)
    (directory / "gate").touch()
    async with living(directory) as live:
        await live.busy()
        client = await live.connect()
        words = ["retrain", str(directory), "--net", NET, "--repeats", "3", "--device", "cpu"]
        said = await asyncio.to_thread(CliRunner().invoke, cli, words, catch_exceptions=False)
        assert said.output == f"queued job 1: 3 x 70 epochs of {NET}, on cpu\n"
        await live.busy(2)  # the search's worker is held at its trial
        assert jobs_at_work(live) == [("cpu", 1)]
        assert [worker.passing for worker in live.status.workers] == [False, True]
        (directory / "gate").unlink()
        await soon(lambda: statuses(live) == {1: "done"}, "the end of the job")
        await soon(lambda: len(live.status.workers) == 1, "the end of its worker")
        await live.state("finished")
        await client.close()
    assert sound(directory) == alone


async def test_each_device_does_its_jobs_in_turn(home):
    directory = make(home, 3)
    (directory / "gate").touch()
    async with living(directory) as live:
        client = await live.connect()
        for device in ("cuda", "cpu", "cuda:0", "cuda:1", None):
            await client.call("queue_job", retrain(device))
        await live.busy(4)
        assert jobs_at_work(live) == [("cpu", 2), ("cuda:0", 1), ("cuda:1", 4)]
        assert statuses(live)[3] == "queued"
        (directory / "gate").unlink()
        await soon(lambda: live.status.jobs_queued == 0, "the end of the jobs")
        assert set(statuses(live).values()) == {"done"}
        await client.call("queue_job", retrain("cuda:1"))  # its worker is gone: there will be another
        await soon(lambda: statuses(live)[6] == "done", "the end of the last job")
        await client.close()


async def test_paused_let_go_on_and_cancelled(home):
    directory = make(home, 3)
    async with living(directory) as live:
        await live.state("finished")
        (directory / "gate").touch()
        client = await live.connect()
        for _ in range(2):
            await client.call("queue_job", retrain("cuda:1"))
        await soon(lambda: jobs_at_work(live) == [("cuda:1", 1)], "the first job")
        await client.call("move_job", protocol.MoveJobParams(id=1, priority=None, paused=True))
        await soon(lambda: jobs_at_work(live) == [("cuda:1", 2)], "the second job")
        await client.call("cancel_job", protocol.JobParams(id=2))
        await soon(lambda: len(live.status.workers) == 1, "the end of the worker")
        await client.call("move_job", protocol.MoveJobParams(id=1, priority=None, paused=False))
        await soon(lambda: jobs_at_work(live) == [("cuda:1", 1)], "the first job again")
        (directory / "gate").unlink()
        await soon(lambda: statuses(live) == {1: "done", 2: "cancelled"}, "the end of the jobs")
        await client.close()


def test_goes_on_after_a_kill(home):
    directory = make(home, 3)
    (directory / "gate").touch()
    with Process(directory) as process:
        process.ready()
        with process.client() as client:
            client.call("queue_job", retrain("cpu", repeats=2))
        until(
            lambda: [w.job for w in process.status().workers if w.state == "busy" and w.stage == "train"] == [None, 1]
        )
        process.kill()
    with Process(directory) as process:
        process.ready().state("finished")
        until(lambda: process.status().jobs_queued == 0, "the end of the job")
        process.end()
    with Run.open(directory) as run:
        (job,) = run.jobs()
    assert (job.status, job.params["device"], len(job.result["repeats"])) == ("done", "cpu", 2)


async def test_a_worker_that_does_not_start_is_a_problem_until_its_jobs_are_gone(home):
    directory = make(home, 3)
    async with living(directory) as live:
        await live.state("finished")
        tell(directory, setup="fail")
        client = await live.connect()
        await client.call("queue_job", retrain("cuda:1"))
        await soon(lambda: live.status.problems == ("worker 1 does not start: the data set is on strike",), "a problem")
        await client.call("cancel_job", protocol.JobParams(id=1))
        await soon(lambda: live.status.problems == (), "the end of the problem")
        await client.close()


@pytest.mark.parametrize("device", ["cuda:2", "gpu", "", "auto", "cuda:-1", "x" * 10_000])
async def test_a_device_that_is_not_there(home, device):
    async with living(make(home, 3)) as live:
        client = await live.connect()
        with pytest.raises(RemoteError, match=r"there is no device .* it has cpu, cuda:0, cuda:1") as refused:
            await client.call("queue_job", retrain(device))
        assert len(str(refused.value)) < 200
        assert (await client.call("jobs")).rows == ()
        await client.close()
