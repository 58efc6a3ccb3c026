"""The link without Textual: it follows, notices, and comes back."""

import asyncio
import contextlib
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nasd import protocol
from nasd.client import Target
from nasd.errors import NasdError
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, until
from tui.link import Change, Link, Renewed, Turned, opened


class Following:
    def __init__(self, daemon: FakeDaemon) -> None:
        self.clock = Clock()
        self.heard: list[Change] = []
        self.link = Link(Target(directory=daemon.directory), self.heard.append, self.clock)

    def renewals(self) -> int:
        return sum(isinstance(change, Renewed) for change in self.heard)


@contextlib.asynccontextmanager
async def following(daemon: FakeDaemon) -> AsyncIterator[Following]:
    made = Following(daemon)
    task = asyncio.create_task(made.link.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_follows_events(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.status)
        row = daemon.finish_trial()
        daemon.epoch()
        daemon.turn("paused", "paused", ("the disk is full",))
        daemon.heartbeat()
        await until(lambda: any(isinstance(change, protocol.MachineLoad) for change in made.heard))
        status = made.link.status
        assert status is not None
        assert status.recent[0] == row
        assert len(status.recent) == 10
        assert status.progress.trials == 701
        assert status.state == "paused"
        assert status.problems == ("the disk is full",)
        assert status.workers[0].epoch == 1
        assert made.link.live


async def test_a_jobs_own_worker_comes_and_goes(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.status)
        own = protocol.WorkerStatus(id=1, device="cpu", pid=1, state="busy", job=1, passing=True)
        daemon.send(protocol.WorkerChanged, worker=own)
        await until(lambda: [worker.device for worker in made.link.status.workers] == ["cuda:0", "cpu"])
        daemon.send(protocol.WorkerChanged, worker=msgspec.structs.replace(own, state="gone"))
        await until(lambda: [worker.device for worker in made.link.status.workers] == ["cuda:0"])
        lost = msgspec.structs.replace(daemon.world.worker(), state="gone")
        daemon.send(protocol.WorkerChanged, worker=lost)
        await until(lambda: [worker.state for worker in made.link.status.workers] == ["gone"])


async def test_comes_back_after_a_restart(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.status)
        await daemon.stop()
        await until(lambda: made.link.condition == "lost")
        assert not made.link.live
        assert made.link.status is not None, "what was known stays on the screen"
        with pytest.raises(NasdError):
            await made.link.call("status")
        again = FakeDaemon(daemon.directory, World(710))
        await again.start()
        await until(lambda: made.link.condition == "live")
        assert made.link.status.progress.trials == 710
        again.finish_trial()
        await until(lambda: made.link.status and made.link.status.progress.trials == 711)
        await again.stop()


async def test_waits_for_a_daemon_that_is_not_up_yet(folder: Path) -> None:
    daemon = FakeDaemon(folder / "late", World(3))
    async with following(daemon) as made:
        await until(lambda: made.link.condition == "lost")
        assert "no daemon answers" in made.link.sentence
        await daemon.start()
        await until(lambda: made.link.live)
        await daemon.stop()


async def test_a_gap_asks_for_a_new_snapshot(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.status)
        daemon.sequence += 3  # three events that this client never gets
        daemon.world.finish()
        daemon.heartbeat()
        await until(lambda: made.renewals() == 2)
        assert made.link.status is not None
        assert made.link.status.progress.trials == 701
        daemon.finish_trial()
        await until(lambda: made.link.status and made.link.status.progress.trials == 702)
        assert made.renewals() == 2


async def test_events_from_before_the_snapshot_are_not_taken_twice(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.status)
        taken = len(made.heard)
        daemon.sequence -= 1
        daemon.heartbeat()
        daemon.heartbeat()
        await until(lambda: len(made.heard) > taken)
        await asyncio.sleep(0.05)
        assert len(made.heard) == taken + 1


async def test_silence_makes_the_data_old(daemon: FakeDaemon) -> None:
    async with following(daemon) as made:
        await until(lambda: made.link.live)
        daemon.silent = True
        made.clock.now += 5
        assert made.link.live
        made.clock.now += 7
        assert not made.link.live
        assert made.link.condition == "live", "nobody hung up"
        assert made.link.age == 12
        assert made.link.now == made.link.status.time + 12
        daemon.silent = False
        daemon.sequence -= 0
        daemon.heartbeat()
        await until(lambda: made.link.live)


async def test_another_version_is_one_sentence_and_is_tried_again(daemon: FakeDaemon) -> None:
    daemon.protocol = protocol.PROTOCOL + 1
    async with following(daemon) as made:
        await until(lambda: made.link.condition == "refused")
        assert f"version {protocol.PROTOCOL + 1} of the protocol" in made.link.sentence
        assert made.link.sentence.count(".") == 0
        daemon.protocol = protocol.PROTOCOL
        await until(lambda: made.link.live)


async def test_goes_on_with_a_connection_that_was_opened_before(daemon: FakeDaemon) -> None:
    """`tui.run` opens it while Textual is imported."""
    target = Target(directory=daemon.directory)
    opening = asyncio.create_task(opened(target))
    link = Link(target, lambda _: None, opening=opening)
    task = asyncio.create_task(link.run())
    await until(lambda: link.condition == "live")
    assert link._connection is opening.result()
    await opening.result().close()
    await until(lambda: link.condition == "live" and link._connection is not opening.result())
    task.cancel()
    await asyncio.wait([task])


async def test_attaches_to_another_run(daemon: FakeDaemon, folder: Path) -> None:
    other = FakeDaemon(folder / "mnist", World(5, name="mnist"))
    async with following(daemon) as made:
        await until(lambda: made.link.live)
        with pytest.raises(NasdError):
            await made.link.attach(Target(directory=other.directory))
        assert made.link.live, "the old one is still followed"
        await other.start()
        await made.link.attach(Target(directory=other.directory))
        await until(lambda: made.link.status and made.link.status.name == "mnist")
        assert not [change for change in made.heard if isinstance(change, Turned) and made.link.condition == "lost"]
        await until(lambda: not daemon.connections)
        await other.stop()


async def test_a_link_through_ssh_that_breaks_comes_back(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(__file__).parents[1] / "helpers" / "fake_ssh.py"
    monkeypatch.setenv("NASD_SSH", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
    monkeypatch.setenv("NASD_REMOTE_COMMAND", f"{sys.executable} -m nasd.cli")
    heard: list[Change] = []
    link = Link(Target(host="me@box", run=str(daemon.directory)), heard.append)
    task = asyncio.create_task(link.run())
    try:
        await until(lambda: link.live, 20)
        daemon.finish_trial()
        await until(lambda: link.status and link.status.progress.trials == 701)
        assert link._connection is not None
        assert link._connection._process is not None
        link._connection._process.kill()
        await until(lambda: link.condition == "lost")
        assert "SSH link" in link.sentence
        await until(lambda: link.live, 20)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
