"""The job queue: order, cancelling, resuming, failing."""

import asyncio

import pytest

from nasd import protocol
from nasd.client import RemoteError
from nasd.daemon import committing
from nasd.seeding import derive
from store import DiskFullError, Run
from tests.helpers.nasd_harness import living, make, rows, soon, sound, tell

NET = "[C(16,3,1,1,1), SM(10)]"


def held(home, trials=3, **sections):
    directory = make(home, trials, **sections)
    (directory / "gate").touch()
    return directory


def retrain(**params):
    return protocol.QueueJobParams(**{"net": NET, **params})


async def jobs(client):
    return (await client.call("jobs")).rows


def ended(live):
    """Trials and jobs in the order in which they came to their end."""
    found = []
    for event in live.events:
        match event:
            case protocol.TrialFinished():
                found.append(event.row.number)
            case protocol.JobChanged() if event.job.status == "done":
                found.append(f"job {event.job.id}")
    return found


async def test_a_job_runs_before_the_next_trial_and_is_summed_up(home):
    directory = held(home)
    async with living(directory) as live:
        await live.busy()
        client = await live.connect()
        row = await client.call("queue_job", retrain(repeats=3, epochs=7))
        assert (row.id, row.status, row.summary) == (1, "queued", f"3 x 7 epochs of {NET}")
        (directory / "gate").unlink()
        await soon(lambda: any(isinstance(e, protocol.JobChanged) and e.job.status == "done" for e in live.events))
        (done,) = await jobs(client)
        assert done.progress == 1.0
        assert len(done.result["repeats"]) == 3
        assert len({repeat["test_accuracy"] for repeat in done.result["repeats"]}) == 3
        assert "job 1" in ended(live)[:2]
        await live.state("finished")
        await client.close()
    sound(directory)  # a job is no part of the search


async def test_higher_priority_first_then_older(home):
    directory = held(home)
    async with living(directory) as live:
        await live.busy()
        client = await live.connect()
        for priority in (0, 5, 0, 5):
            await client.call("queue_job", retrain(priority=priority))
        rows = await jobs(client)
        assert [row.id for row in rows] == [1, 2, 4, 3]
        assert rows[0].status == "running"  # it was alone when it began
        await client.call("move_job", protocol.MoveJobParams(id=3, priority=9))
        assert [j.id for j in await jobs(client)] == [1, 3, 2, 4]
        with pytest.raises(RemoteError, match="only a queued job can be moved"):
            await client.call("move_job", protocol.MoveJobParams(id=1, priority=1))
        (directory / "gate").unlink()
        await soon(lambda: live.status.jobs_queued == 0, "the end of the jobs")
        order = ended(live)
        first = order.index("job 1")
        assert order[first : first + 4] == ["job 1", "job 3", "job 2", "job 4"]  # no trial in between
        await client.close()


async def test_cancel_queued_and_running(home):
    directory = held(home, 30)
    async with living(directory) as live:
        client = await live.connect()
        await client.call("pause")
        for _ in range(2):
            await client.call("queue_job", retrain())
        (pid,) = await live.busy()
        assert (await client.call("cancel_job", protocol.JobParams(id=2))).status == "cancelled"
        assert (await client.call("cancel_job", protocol.JobParams(id=1))).status == "cancelled"
        await soon(lambda: all(w.pid != pid for w in live.status.workers), "the end of the evaluation")
        assert [j.status for j in await jobs(client)] == ["cancelled", "cancelled"]
        with pytest.raises(RemoteError, match="job 1 is cancelled already"):
            await client.call("cancel_job", protocol.JobParams(id=1))
        with pytest.raises(RemoteError, match="there is no job 7"):
            await client.call("cancel_job", protocol.JobParams(id=7))
        (directory / "gate").unlink()
        await client.call("queue_job", retrain())
        await soon(lambda: live.status.jobs_queued == 0, "the end of the third job")
        assert [j.status for j in await jobs(client)] == ["done", "cancelled", "cancelled"]
        await client.close()


async def test_cancelled_while_it_waits_for_a_worker(home):
    directory = held(home)
    async with living(directory) as live:
        await live.busy()
        client = await live.connect()
        await client.call("queue_job", retrain())
        await soon(lambda: live.daemon.jobs._current)
        await client.call("cancel_job", protocol.JobParams(id=1))
        (directory / "gate").unlink()
        await live.state("finished")
        assert [j.status for j in await jobs(client)] == ["cancelled"]
        await client.close()


async def test_goes_on_at_the_repeat_that_it_had_reached(home):
    directory = make(home, 3)
    tell(directory, seconds=0.1)
    async with living(directory) as live:
        client = await live.connect()
        await client.call("queue_job", retrain(repeats=5))
        await soon(lambda: live.daemon.jobs._jobs[1].progress >= 0.4, "two repeats")
        await client.close()
    with Run.open(directory) as run:
        (job,) = run.jobs()
        before = job.result["repeats"]
    assert (job.status, 1 <= len(before) < 5) == ("running", True)
    async with living(directory) as live:
        await soon(lambda: live.status.jobs_queued == 0, "the end of the job")
    with Run.open(directory) as run:
        (job,) = run.jobs()
    assert job.result["repeats"][: len(before)] == before
    assert [repeat["seed"] for repeat in job.result["repeats"]] == [derive(1, f"job/1/{n}") for n in range(5)]


async def test_a_job_that_fails_says_why_and_the_next_one_runs(home):
    directory = make(home, 3)
    tell(directory, do={str(derive(1, "job/1/1")): "raise"})
    async with living(directory, exit_when_finished=True) as live:
        client = await live.connect()
        await client.call("queue_job", retrain(repeats=3))
        await client.call("queue_job", retrain())
        await client.close()
        assert await asyncio.wait_for(live.task, 60) == 0
    with Run.open(directory) as run:
        good, bad = run.jobs()
    assert (good.id, good.status) == (2, "done")
    assert (bad.status, len(bad.result["repeats"])) == ("failed", 1)
    assert "the stub raises" in bad.reason
    assert all(row["status"] != "failed" for row in rows(directory))


async def test_a_disk_that_is_full_for_a_while_loses_no_job(home, monkeypatch):
    monkeypatch.setattr(committing, "RETRY", 0.05)
    directory = make(home, 3)
    tell(directory, seconds=0.05)
    async with living(directory) as live:
        client = await live.connect()
        await client.call("queue_job", retrain(repeats=4))
        run, full = live.daemon.run, [True]
        commit = run.commit

        def refuse(delta):
            if full[0]:
                raise DiskFullError("could not commit: no space left for run.db")
            return commit(delta)

        monkeypatch.setattr(run, "commit", refuse)
        await soon(lambda: live.status.problems, "a problem")
        for method, params in (
            ("queue_job", retrain()), ("cancel_job", protocol.JobParams(id=1)), ("pause", None),
        ):  # fmt: skip
            with pytest.raises(RemoteError, match="no space left"):
                await client.call(method, params)
        assert live.status.state == "running"
        full[0] = False
        await soon(lambda: live.status.jobs_queued == 0, "the end of the job")
        assert (await live.state("finished")).problems == ()
        assert [(j.status, len(j.result["repeats"])) for j in await jobs(client)] == [("done", 4)]
        await client.close()
    sound(directory)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"repeats": 0}, "repeats must be between 1 and 1000, not 0"),
        ({"repeats": 10**6}, "repeats must be between"),
        ({"epochs": 0}, "epochs must be between"),
        ({"epochs": 10_001}, "epochs must be between"),
        ({"repeats": 1000, "epochs": 1000}, "repeats times epochs must be between"),
        ({"net": "[C(16,3,1,1,1), FC(32), SM(10)]"}, "fully connected layers, and a deep prior none: ask for full"),
        (
            {"net": None, "selection": (protocol.Selected(net=NET), protocol.Selected(net="[C(16,3]"))},
            r"of the selection '\[C\(16,3\]': not an architecture: at character",
        ),
        ({"priority": 10**9}, "priority must be between"),
        ({"trial": 3}, "either a trial or a net"),
        ({"net": None}, "either a trial or a net"),
        ({"net": None, "trial": 99}, "there is no trial 99: the newest is"),
        ({"net": "[C(16,3]"}, "at character|expected"),
        ({"net": "[" + "C(16,3,1,1,1), " * 5000}, "longer than 10,000 characters"),
        ({"net": "[C(1024,1,1,0,1), SM(10)]"}, "cannot be evaluated here"),
    ],
)
async def test_a_job_that_cannot_be(home, params, message):
    directory = held(home)
    async with living(directory) as live:
        client = await live.connect()
        with pytest.raises(RemoteError, match=message):
            await client.call("queue_job", retrain(**params))
        assert await jobs(client) == ()
        await client.close()


async def test_a_page_of_large_jobs_fits_into_a_frame(home):
    directory = held(home)
    async with living(directory) as live:
        client = await live.connect()
        await client.call("queue_job", retrain(repeats=1000))
        queue = live.daemon.jobs
        repeat = {"seed": 1 << 62, "reward": 0.1234567890123, "best_validation": 0.1234567890123,
                  "test_accuracy": 0.1234567890123, "validation_accuracies": [0.1] * 70, "seconds": 1.0}  # fmt: skip
        template = queue._jobs[1]
        from dataclasses import replace

        for id in range(2, 40):
            queue._jobs[id] = replace(template, id=id, result={"repeats": [repeat] * 1000})
        page = await client.call("jobs", protocol.JobsParams(limit=500))
        assert page.total == 39
        assert 1 < len(page.rows) < 39
        rest = await client.call("jobs", protocol.JobsParams(offset=len(page.rows)))
        assert rest.rows[0].id == page.rows[-1].id + 1
        one = await client.call("jobs", protocol.JobsParams(where="job=7 repeats=1000"))
        assert (one.total, one.rows[0].id) == (1, 7)
        await client.close()
