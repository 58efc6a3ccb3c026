"""What the box lacks is no task's fault: it is tried again, until other work succeeds where it does not."""

import asyncio

import pytest

from nasd.executors import crew
from nasd.outcome import Evaluated, Failed
from tests.executors.sites import NET, ProcessesSite, task
from tests.helpers.stub_worker import outcome_of


@pytest.fixture
async def site(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "STARTING_AGAIN", (0.05, 0.1))
    made = ProcessesSite(tmp_path, monkeypatch)
    yield made
    await made.of.close()


FAULTS = ["no thread", "no space", "libgomp"]


@pytest.mark.parametrize("behaviour", FAULTS)
async def test_a_fault_that_passes_costs_nothing(site, behaviour):
    site.tell(every=behaviour, once=True)
    executor = site.executor(trial_attempts=1)
    assert (await executor.evaluate(task(1))).outcome == outcome_of(NET, 1)
    assert site.problems == {}


@pytest.mark.parametrize("behaviour", FAULTS)
async def test_while_the_box_is_at_fault_the_task_waits_and_says_why(site, soon, behaviour):
    executor = site.executor(trial_attempts=1)
    assert isinstance((await executor.evaluate(task(1))).outcome, Evaluated)
    site.tell(every=behaviour)
    waiting = asyncio.create_task(executor.evaluate(task(2)))
    tries = 0
    while tries < 4:
        problem = await soon(lambda: site.problems.get(0))
        assert problem.startswith("trial 2 waits, the box is at fault: ")
        started = sum(status.state == "starting" for status in site.statuses)
        await soon(lambda before=started: sum(s.state == "starting" for s in site.statuses) > before)
        tries += 1
    assert not waiting.done()
    site.tell()
    assert (await waiting).outcome == outcome_of(NET, 2)
    assert site.problems == {}


@pytest.mark.parametrize("behaviour", FAULTS)
async def test_what_recurs_on_a_sound_box_is_the_tasks_own(site, behaviour):
    site.tell(do={"2": behaviour})
    executor = site.executor(trial_attempts=2)
    finished = [await executor.evaluate(task(seed)) for seed in (1, 2, 3)]
    assert [type(one.outcome) for one in finished] == [Evaluated, Failed, Evaluated]
    assert site.problems == {}


async def test_without_anything_that_ever_succeeded_it_waits(site, soon):
    site.tell(every="no thread")
    executor = site.executor(trial_attempts=1)
    waiting = asyncio.create_task(executor.evaluate(task(1)))
    await soon(lambda: sum(status.state == "starting" for status in site.statuses) > 3)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
