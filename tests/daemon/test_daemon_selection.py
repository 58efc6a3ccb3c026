"""Jobs of several architectures, held back and let go on; with embeddings; asked for on the command line."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from nasd import protocol
from nasd.cli import cli
from nasd.errors import NasdError
from nasd.experiments.selection import Choice, select
from nasd.protocol import Selected
from nasd.runs.published import replay
from store import Run
from store.embeddings import Embedding
from tests.helpers.nasd_harness import living, make, rows, soon, sound, tell

NET = "[C(16,3,1,1,1), SM(10)]"


async def nasd(*words):
    """A command's standard output; it must succeed."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


async def jobs(run):
    found = json.loads(await nasd("jobs", run, "--json"))
    return {job["id"]: job for job in sorted(found, key=lambda job: job["id"])}


def finish(live):
    return soon(lambda: live.status.jobs_queued == 0, "the end of the jobs")


def test_groups_are_distinct_and_ordered():
    found = [Selected(net=f"net{n % 9}", trial=n, reward=n / 20) for n in range(20)]
    chosen = select(found, Choice.parse("low, mid,top:2"))
    assert [(one.group, one.trial) for one in chosen] == [
        ("low", 12), ("low", 11), ("mid", 16), ("mid", 15), ("top", 19), ("top", 18)
    ]  # fmt: skip
    assert [one.trial for one in select(found, Choice.parse("mid:3"))] == [16, 15, 14]
    with pytest.raises(NasdError, match=r"needs 12 different .* there are 9"):
        select(found, Choice.parse("low,mid,top:4"))
    with pytest.raises(NasdError, match="there are 0"):
        select([Selected(net="a", reward=0.0), Selected(net="b")], Choice.parse("top:1"))


@pytest.mark.parametrize("text", ["", "top", "top:0", "best:3", "low,,top:1", "top:1:2", "top:-1"])
def test_a_selection_that_is_none(text):
    with pytest.raises(NasdError, match="is written low,mid,top:6"):
        Choice.parse(text)


async def test_a_selection_is_one_job_for_each_architecture(home):
    directory = make(home, 20)
    async with living(directory) as live:
        await live.state("finished")
        said = await nasd("retrain", directory, "--select", "low,mid,top:2", "--repeats", 2, "--epochs", 3)
        assert said.startswith("queued jobs 1 to 6")
        await finish(live)
        found = await jobs(directory)
    assert await jobs(directory) == found, "without a daemon, from the files"
    with Run.open(directory) as run:
        stored = run.jobs()
    best = sorted({row["net"]: row["reward"] for row in rows(directory) if row["reward"] > 0}.values())
    assert [j["group"] for j in found.values()] == ["low", "low", "mid", "mid", "top", "top"]
    assert len({j["net"] for j in found.values()}) == 6
    assert {j["batch"] for j in found.values()} == {1}
    assert (found[5]["reward"], found[2]["reward"]) == (best[-1], best[0])
    assert [(job.status, len(job.result["repeats"])) for job in stored] == [("done", 2)] * 6
    sound(directory)


async def test_a_row_of_a_published_csv(home, tmp_path):
    directory, path = make(home, 3), tmp_path / "replay.csv"
    nets = [NET, "[C(32,3,1,1,1), SM(10)]", "[C(64,3,1,1,1), SM(10)]"]
    replay.write(path, [replay.ReplayRow(epsilon=1.0, net=n, trained=True, reward=0.2) for n in nets])
    async with living(directory) as live:
        await nasd("retrain", directory, "--csv", path, "--index", 1)
        await nasd("retrain", directory, "--csv", path, "--select", "low,mid,top:1", "--priority", 3)
        await finish(live)
        found = await jobs(directory)
        assert [found[id]["net"] for id in (1, 2, 3, 4)] == [nets[1], nets[2], nets[1], nets[0]]
        assert found[4]["priority"] == 3
        with pytest.raises(NasdError, match="has no row 3: its last one is 2"):
            await nasd("retrain", directory, "--csv", path, "--index", 3)


@pytest.mark.parametrize(
    "words", [[], ["--trial", "1", "--net", NET], ["--index", "1"], ["--csv", "x"], ["--csv", "x", "--trial", "1"]]
)
def test_what_does_not_name_an_architecture(words):
    result = CliRunner().invoke(cli, ["retrain", "nowhere", *words])
    assert result.exit_code == 2
    assert "--csv" in result.output


async def test_a_selection_is_queued_whole_or_not_at_all(home):
    directory = make(home, 3)
    async with living(directory) as live:
        client = await live.connect()
        wrong = protocol.QueueJobParams(selection=(Selected(net=NET), Selected(net="[C(1,")))
        with pytest.raises(NasdError, match="not an architecture"):
            await client.call("queue_job", wrong)
        assert (await client.call("jobs")).rows == ()
        await client.close()


async def test_a_paused_job_waits_and_goes_on_where_it_was(home):
    directory = make(home, 3)
    tell(directory, seconds=0.05)
    async with living(directory) as live:
        await nasd("retrain", directory, "--net", NET, "--repeats", 6)
        await nasd("retrain", directory, "--net", NET)
        await soon(lambda: live.daemon.jobs._jobs[1].progress >= 0.3, "a repeat")
        assert "job 1 is paused" in await nasd("jobs", directory, "--pause", 1)
        await soon(lambda: live.daemon.jobs._jobs[2].status == "done", "the other job")
        before = live.daemon.jobs._jobs[1].result["repeats"]
        assert 1 <= len(before) < 6
        await live.state("finished")
    async with living(directory) as live:  # a restart does not end the pause
        await live.state("finished")
        found = await jobs(directory)
        assert (found[1]["status"], found[1]["paused"], live.status.jobs_queued) == ("queued", True, 0)
        assert "priority 7" in await nasd("jobs", directory, "--move", 1, 7)
        assert "job 1 is " in await nasd("jobs", directory, "--resume", 1)
        await finish(live)
        assert live.daemon.jobs._jobs[1].result["repeats"][: len(before)] == before
        with pytest.raises(NasdError, match="job 1 is done: only one that waits or runs"):
            await nasd("jobs", directory, "--pause", 1)
    with Run.open(directory) as run:
        assert [(job.status, len(job.result["repeats"])) for job in sorted(run.jobs(), key=lambda j: j.id)] == [
            ("done", 6), ("done", 1)
        ]  # fmt: skip


async def test_a_job_keeps_its_embeddings(home):
    directory = make(home, 3)
    left = directory / "exports" / "jobs" / ".tmp-left"
    left.mkdir(parents=True)
    tell(directory, embed=4)
    async with living(directory) as live:
        await nasd("retrain", directory, "--net", NET, "--repeats", 2, "--store-embedding")
        await nasd("retrain", directory, "--net", NET)
        await finish(live)
        found = await jobs(directory)
    assert not left.exists()
    kept = [repeat["embedding"] for repeat in found[1]["result"]["repeats"]]
    assert kept == ["exports/jobs/job-000001-1.zarr", "exports/jobs/job-000001-2.zarr"]
    assert [len(Embedding(directory / name).read("train").x) for name in kept] == [4, 4]
    assert found[2]["result"]["repeats"][0]["embedding"] is None
