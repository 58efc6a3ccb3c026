"""What besides can happen to worker processes."""

import asyncio
import logging

import pytest

from nasd.executors import crew, worker
from nasd.executors.processes import channel
from nasd.executors.staged import Staged
from nasd.outcome import Failed
from tests.executors.sites import NET, ProcessesSite, task
from tests.helpers.stub_worker import outcome_of


@pytest.fixture(params=[ProcessesSite], ids=["processes"])
async def site(request, tmp_path, monkeypatch):
    made = ProcessesSite(tmp_path, monkeypatch)
    yield made
    await asyncio.wait_for(made.of.close(), 60)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("garble", "sent something that is not a report"),
        ("nan", "sent something that is not a report"),
        ("close", "closed its standard output"),
    ],
)
async def test_one_that_does_not_say_what_it_should(site, monkeypatch, behaviour, reason):
    monkeypatch.setattr(channel, "KILL_TIME", 0.2)
    site.tell(do={"1": behaviour})
    executor = site.executor(trial_attempts=1)
    outcome = (await executor.evaluate(task(1))).outcome
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert (await executor.evaluate(task(2))).outcome == outcome_of(NET, 2)


@pytest.mark.parametrize(("behaviour", "said"), [("print", "garbage on standard output"), ("flood", "line 4999")])
async def test_what_it_prints_goes_to_the_log(site, caplog, soon, behaviour, said):
    caplog.set_level(logging.INFO)
    site.tell(every=behaviour)
    executor = site.executor()
    assert (await executor.evaluate(task(1))).outcome == outcome_of(NET, 1)
    await soon(lambda: said in caplog.text)


@pytest.mark.parametrize(("behaviour", "said"), [("exit", "exit code 9"), ("hang", "was not ready after")])
async def test_one_that_does_not_start_is_tried_again(site, monkeypatch, soon, behaviour, said):
    if behaviour == "hang":
        monkeypatch.setattr(worker, "SETUP_TIME", 1.0)
    monkeypatch.setattr(crew, "STARTING_AGAIN", (0.05, 0.1))
    site.tell(setup=behaviour)
    executor = site.executor()
    evaluation = asyncio.create_task(executor.evaluate(task(1)))
    await soon(lambda: site.problems)
    assert said in site.problems[0]
    monkeypatch.setattr(worker, "SETUP_TIME", 60.0)
    site.tell()
    assert (await evaluation).outcome == outcome_of(NET, 1)
    assert site.problems == {}


async def test_a_file_that_is_gone_already_is_discarded(site, tmp_path):
    site.executor()
    await Staged(tmp_path / "gone").discard()
    assert await Staged(tmp_path / "gone").fetch() == tmp_path / "gone"
