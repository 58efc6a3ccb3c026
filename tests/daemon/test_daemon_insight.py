"""What a search has learned, asked of a daemon and of files."""

import msgspec
import pytest

from nasd import protocol
from nasd.client import Target
from nasd.client.aio import Connection
from nasd.daemon import insight as insights
from nasd.protocol import Insight, InsightParams
from nasd.runs.insight import LEAST_ROWS
from tests.helpers.nasd_harness import living, make, rows


@pytest.mark.parametrize("strategy", ["qlearning", "pnas", "enas"])
async def test_is_answered_for_every_strategy(home, strategy):
    directory = make(home, 30, strategy)
    async with living(directory) as live:
        await live.state("finished")
        connection = await Connection.open(Target(directory=directory))
        found: Insight = await connection.call("insight", InsightParams(points=10))
        again: Insight = await connection.call("insight", InsightParams(points=10))
        await connection.close()
    assert found == again
    trials = rows(directory)
    assert (found.read, found.of) == (len(trials), len(trials))
    counted = [row for row in trials if row["counted"]]
    best = max(row["reward"] for row in counted)
    assert found.curve[-1].trial == counted[-1]["number"]
    assert found.curve[-1].best == best == found.records[-1].reward
    assert [one.best for one in found.curve] == sorted(one.best for one in found.curve)
    fronts = {front.axis: front for front in found.fronts}
    assert set(fronts) == {"parameters", "embedding", "seconds"}
    assert fronts["parameters"].trials[-1].reward == best
    assert sum(stage.done for stage in found.stages) == len(counted)
    if found.rows >= LEAST_ROWS and found.decisions:
        assert all(one.levels for one in found.decisions)


async def test_files_answer_as_the_daemon_does(home):
    directory = make(home, trials=12)
    async with living(directory) as live:
        await live.state("finished")
        connection = await Connection.open(Target(directory=directory))
        told: Insight = await connection.call("insight", InsightParams())
        await connection.close()
    reading = await Connection.open(Target(directory=directory), files=True)
    read: Insight = await reading.call("insight", InsightParams())
    await reading.close()
    # How many trials a stage asks for is only known once the strategy is restored.
    assert msgspec.structs.replace(read, stages=()) == msgspec.structs.replace(told, stages=())


async def test_a_long_run_is_read_in_the_course_of_several_requests(home, monkeypatch):
    directory = make(home, trials=12)
    async with living(directory) as live:
        await live.state("finished")
        monkeypatch.setattr(insights, "BUDGET", 0.0)
        found = await live.daemon.insights.answer(10, ())
        assert (found.read, found.fronts[0].trials) == (0, ())
        assert found.curve, "the rewards are known at once"
        monkeypatch.setattr(insights, "BUDGET", 10.0)
        found = await live.daemon.insights.answer(10, ())
        assert found.read == found.of == len(rows(directory))
        assert len(protocol.encode(found)) < protocol.MAX_FRAME


async def test_what_was_stopped_is_on_no_front_of_seconds(home):
    """It took less for that alone, and its reward is an estimate."""
    directory = make(home, 30, evaluation={"rungs": {"images": [100], "keep": [0.5], "after": 4}})
    async with living(directory) as live:
        await live.state("finished")
        found = await live.daemon.insights.answer(100, ())
    status = {row["number"]: row["status"] for row in rows(directory)}
    whole = sum(one == "evaluated" for one in status.values())
    assert whole < len(status) - 3
    fronts = {front.axis: front for front in found.fronts}
    assert len(fronts["seconds"].cloud) == whole
    assert all(status[one.trial] == "evaluated" for one in fronts["seconds"].trials)
    assert len(fronts["parameters"].cloud) > whole
