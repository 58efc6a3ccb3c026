"""A run without a daemon, read from its files over the same protocol."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nasd import protocol
from nasd.client import Target
from nasd.client.aio import Connection
from nasd.errors import NasdError, NotRunningError
from nasd.protocol.qlearning import QParams
from tests.helpers.nasd_harness import Process, living, make, rows
from tui.link import Link, Renewed


@pytest.fixture
async def stopped(home):
    """A run that a daemon finished, and then ended."""
    directory = make(home, trials=6)
    async with living(directory) as live:
        await live.state("finished")
    return directory


async def test_answers_as_the_daemon_did(stopped):
    connection = await Connection.open(Target(directory=stopped), files=True)
    snapshot = await connection.subscribe()
    status = snapshot.status
    assert status.read_only
    assert (status.state, status.progress.counted) == ("finished", 6)
    if status.progress.stages[0].of is None:  # a busy box: the strategy was not restored in time, and is told of later
        renewed = await anext(connection.events())
        assert isinstance(renewed, protocol.StatusRenewed)
        status = renewed.status
    assert [stage.of for stage in status.progress.stages] == [4, 2]
    page = await connection.call("trials", protocol.TrialsParams())
    assert [row.number for row in page.rows] == [row["number"] for row in rows(stopped)][::-1]
    assert {row.parameters for row in page.rows} == {None}, "sizes are told where they are asked for"
    sized = await connection.call("trials", protocol.TrialsParams(sizes=True, where="trial=1"))
    detail = await connection.call("trial", protocol.TrialParams(number=1))
    assert detail.graph.nodes
    (row,) = sized.rows
    assert (row.parameters, row.embedding_dim) == (detail.graph.parameters, detail.embedding_dim)
    assert row.layers == sum(bool(node.text) for node in detail.graph.nodes)
    q_page = await connection.call("qlearning.page", QParams())
    assert any(action.tried for action in q_page.actions)
    tried = await connection.call("qlearning.page", QParams(where="tried>0"))
    assert tried.total == sum(action.tried > 0 for action in q_page.actions)
    assert (tried.best, tried.lowest, tried.greedy_path) == (q_page.best, q_page.lowest, q_page.greedy_path)
    rewards = await connection.call("rewards", protocol.RewardsParams())
    assert len(rewards.points) == 6
    log = await connection.call("log", protocol.LogParams(text="finished"))
    assert any("the search is finished" in record.message for record in log.rows)
    warnings = await connection.call("log", protocol.LogParams(where="!level:info finished"))
    assert not any("the search is finished" in record.message for record in warnings.rows)
    with pytest.raises(NasdError, match="expected debug, info, warning, error"):
        await connection.call("log", protocol.LogParams(where="level:loud"))
    assert (await connection.call("jobs", protocol.JobsParams())).total == 0
    assert [row.name for row in (await connection.call("runs")).rows] == ["stub"]
    assert "name: stub" in (await connection.call("config")).yaml
    with pytest.raises(NasdError, match="pause needs a daemon: start it with `nasd start stub`"):
        await connection.call("pause")
    await connection.close()


def test_the_first_screen_waits_for_no_numpy(stopped):
    """Nor for what numpy would be needed for: importing it takes as long as all the rest of an attach."""
    code = (
        "import sys; from pathlib import Path; from nasd.daemon.reader import Reader; from nasd.daemon import answers\n"
        "from nasd import protocol\n"
        "reader = Reader(Path(sys.argv[1])); reader.status(); answers._rewards(reader, protocol.RewardsParams())\n"
        "sys.exit(', '.join({'numpy', 'psutil', 'torch', 'zarr'} & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(stopped)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


async def test_its_process_ends_with_its_client(stopped):
    connection = await Connection.open(Target(directory=stopped), files=True)
    process = connection._process
    assert process is not None
    os.kill(process.pid, 0)
    process.stdin.close()  # as a client that was killed leaves it
    assert await asyncio.wait_for(process.wait(), 20) == 0
    await connection.close()


async def test_the_link_goes_over_to_a_daemon_and_back(stopped):
    heard = []
    link = Link(Target(directory=stopped), heard.append)
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(60):
            while not (link.status and link.status.read_only):
                await asyncio.sleep(0.02)
            assert not link.serving
            with Process(stopped).ready() as daemon:
                while not link.serving:
                    await asyncio.sleep(0.02)
                daemon.kill()
                while not (link.condition == "live" and link.status.read_only):
                    await asyncio.sleep(0.02)
            assert link.seen is not None
            assert sum(isinstance(change, Renewed) for change in heard) >= 3
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_over_ssh_too(stopped, monkeypatch):
    script = Path(__file__).parents[1] / "helpers" / "fake_ssh.py"
    monkeypatch.setenv("NASD_SSH", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
    monkeypatch.setenv("NASD_REMOTE_COMMAND", f"{sys.executable} -m nasd.cli")
    target = Target(host="me@box", run=str(stopped))
    with pytest.raises(NotRunningError, match="nasd start"):
        await Connection.open(target)
    connection = await Connection.open(target, files=True)
    assert (await connection.call("status")).read_only
    await connection.close()


async def test_the_command_line_filters_as_the_protocol_does(stopped):
    where = "layers>=2 reward>0.1 params>0 !status:failed"
    connection = await Connection.open(Target(directory=stopped), files=True)
    page = await connection.call("trials", protocol.TrialsParams(where=where))
    with pytest.raises(NasdError, match=r"'rewrd>1' is not understood: expected reward>"):
        await connection.call("trials", protocol.TrialsParams(where="rewrd>1"))
    await connection.close()
    assert page.total
    command = [sys.executable, "-m", "nasd.cli", "trials", str(stopped), "--all", "--json", "--where", where]
    said = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    assert sorted(row["number"] for row in json.loads(said.stdout)) == sorted(row.number for row in page.rows)


async def test_a_run_that_cannot_be_read_is_one_sentence(home):
    (home / "broken").mkdir()
    (home / "broken" / "run.db").write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(NotRunningError, match=r"run\.db") as caught:
        await Connection.open(Target(directory=home / "broken"), files=True)
    assert "\n" not in str(caught.value)
