"""What a finished search has trained from scratch: queued once, whatever is killed and whoever cancels."""

import asyncio
from dataclasses import replace

from nasd import protocol
from nasd.daemon import committing
from nasd.daemon.jobs import JobQueue
from nasd.runs.changing import change
from nasd.runs.opening import search_of
from store import Delta, DiskFullError, Run
from tests.helpers.nasd_harness import living, make, rows, soon


async def test_the_best_derived_architectures_are_trained_when_the_search_has_finished(home):
    directory = make(home, 6, "enas", search={"derive": 3}, training={"epochs": 4})
    async with living(directory) as live:
        await live.state("finished")
        client = await live.connect()
        await soon(lambda: not live.daemon.jobs.queued)
        page = await client.call("jobs")
        status = await client.call("status")
        await client.close()
    best = sorted(rows(directory), key=lambda trial: (-trial["reward"], trial["number"]))[:3]
    found = sorted(page.rows, key=lambda job: job.id)
    assert [(job.net, job.trial, job.reward) for job in found] == [
        (one["net"], one["number"], one["reward"]) for one in best
    ]
    assert {(job.label, job.group, job.full, job.epochs, job.status) for job in found} == {
        (protocol.FROM_SCRATCH, "derived", True, 4, "done")
    }
    assert page.notes[0] == "trained from scratch: 3 of 3 architectures"
    assert page.notes[1].startswith("rank correlation of the search's accuracies and those from scratch: ")
    assert status.progress.notes == page.notes


async def test_none_is_queued_again_at_another_start_not_even_a_cancelled_one(home):
    directory = make(home, 3, "enas", search={"derive": 2})
    async with living(directory, exit_when_finished=True) as live:
        await asyncio.wait_for(live.task, 60)
    with Run.open(directory, writable=True) as run:
        first, second = run.jobs()
        run.commit(Delta(jobs=(replace(first, status="cancelled"),)))
    async with living(directory) as live:
        await live.state("finished")
    with Run.open(directory) as run:
        assert run.jobs() == [replace(first, status="cancelled"), second]


async def test_a_daemon_that_ends_before_they_are_queued_queues_them_at_its_next_start(home, monkeypatch):
    directory = make(home, 3, "enas", search={"derive": 2})
    reached = asyncio.Event()

    async def never(queue, trainings):
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(JobQueue, "queue_trainings", never)
        async with living(directory):
            await asyncio.wait_for(reached.wait(), 60)
    with Run.open(directory) as run:
        assert run.jobs() == []
        assert not run.flags().get("finished")
    async with living(directory) as live:
        await live.state("finished")
    with Run.open(directory) as run:
        assert len(run.jobs()) == 2


async def test_a_full_disk_is_waited_for(home, monkeypatch):
    directory, real, left = make(home, 3, "enas", search={"derive": 2}), JobQueue.queue, [DiskFullError("full")] * 2

    def full(queue, params, chosen):
        if left:
            raise left.pop()
        return real(queue, params, chosen)

    monkeypatch.setattr(JobQueue, "queue", full)
    monkeypatch.setattr(committing, "RETRY", 0.01)
    async with living(directory) as live:
        await live.state("finished")
    with Run.open(directory) as run:
        assert len(run.jobs()) == 2
    assert not left


async def test_with_none_asked_for_none_is_queued(home):
    directory = make(home, 3, "enas", search={"derive": 0})
    async with living(directory) as live:
        await live.state("finished")
    with Run.open(directory) as run:
        assert run.jobs() == []


async def test_a_search_that_is_lengthened_trains_what_it_derives_then_besides(home):
    directory = make(home, 3, "enas", search={"derive": 2})
    async with living(directory, exit_when_finished=True) as live:
        await asyncio.wait_for(live.task, 60)
    with Run.open(directory, writable=True) as run:
        before = run.jobs()
        change(run, ("search.epochs=12",))
    async with living(directory, exit_when_finished=True) as live:
        await asyncio.wait_for(live.task, 60)
    with Run.open(directory) as run:
        after, trained = run.jobs(), search_of(run).strategy.trainings()
    assert all(job in after for job in before)
    nets = [job.params["net"] for job in after]
    assert len(set(nets)) == len(nets)
    assert {one.net for one in trained} <= set(nets)
    assert len(nets) > len(before)
