"""Pages and events, as clients of the socket see them."""

import asyncio
import contextlib
import itertools
import json

import pytest

from nasd import protocol
from nasd.client import RemoteError
from nasd.daemon import broadcast as broadcast_module
from nasd.daemon import server as server_module
from tests.daemon.raw import PAGE, Raw, request
from tests.helpers.nasd_harness import living, make, soon


class TestPages:
    async def test_limits(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            for limit, rows in ((0, 1), (-5, 1), (3, 3)):
                answer = await raw.ask(request("trials", {"limit": limit}))
                assert len(answer["result"]["rows"]) == rows
            assert (await raw.ask(request("trials", {"offset": 10**9})))["result"]["rows"] == []
            assert (await raw.ask(request("trials", {"offset": -3})))["result"]["offset"] == 0
            assert len((await raw.ask(request("log", {"limit": 10**9})))["result"]["rows"]) <= 500
            assert len((await raw.ask(request("rewards", {"points": 10**9})))["result"]["points"]) <= 2000
            assert len((await raw.ask(request(PAGE, {"limit": 2})))["result"]["actions"]) == 2

    async def test_no_page_is_larger_than_a_frame(self, home):
        directory = make(home, 3)
        async with living(directory) as live:
            log = server_module.log
            for number in range(600):
                log.warning("%d %s", number, "x" * 10_000)
            client = await live.connect()
            page = await client.call("log", protocol.LogParams(limit=500))
            assert 1 < len(page.rows) < 500
            ours = [row for row in page.rows if row.source == "server"]  # beside what the daemon says as it starts
            assert ours[-1].message.startswith("599 ")
            older = await client.call("log", protocol.LogParams(limit=500, before=page.rows[0].id))
            assert older.rows[-1].id == page.rows[0].id - 1
            await client.close()

    async def test_an_answer_that_is_too_large_is_an_error(self, home):
        directory = make(home, 3)
        async with living(directory) as live:
            await live.state("finished")
            client = await live.connect()
            handlers = live.daemon.server._methods._handlers
            handlers["config"] = lambda _: protocol.ConfigText(yaml="x" * protocol.MAX_FRAME)
            with pytest.raises(RemoteError, match="larger than a frame"):
                await client.call("config")
            assert await client.call("status")
            await client.close()


class TestSubscribers:
    async def test_a_snapshot_and_then_every_event_without_a_gap(self, home):
        directory = make(home, 12)
        (directory / "gate").touch()
        async with living(directory) as live:
            await live.busy()
            client = await live.connect()
            snapshot = await client.subscribe()
            assert snapshot.status.progress.trials == 0
            (directory / "gate").unlink()
            numbers, expected = [], snapshot.seq
            async for event in client.events():
                expected += 1
                assert event.seq == expected
                if isinstance(event, protocol.TrialFinished):
                    numbers.append(event.row.number)
                if isinstance(event, protocol.StateChanged) and event.state == "finished":
                    break
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) >= 12
            second = await live.connect()
            assert (await second.subscribe()).seq >= expected
            await second.close()
            await client.close()

    async def test_one_that_does_not_read_is_dropped_and_the_others_are_served(self, home, monkeypatch):
        monkeypatch.setattr(broadcast_module, "BACKLOG", 200_000)
        directory = make(home, 3)
        async with living(directory) as live, Raw(directory) as sleeper:
            await sleeper.greeted()
            await sleeper.ask(request("subscribe"))
            sleeper.writer.transport.pause_reading()
            client = await live.connect()
            await client.subscribe()
            broadcast = live.daemon.broadcast
            for number in itertools.count():
                server_module.log.warning("%d %s", number, "x" * 3000)
                if number % 50 == 0:
                    await asyncio.sleep(0)
                if broadcast.subscribers == 1:
                    break
                assert number < 20_000, "it is still subscribed"
            heard = 0
            async for event in client.events():
                heard += isinstance(event, protocol.Logged)
                if heard > 50:
                    break
            assert await client.call("status")
            await client.close()

    async def test_one_that_asks_and_does_not_read_is_dropped(self, home, monkeypatch):
        monkeypatch.setattr(server_module, "WRITE_TIME", 0.2)
        async with living(make(home, 3)) as live, Raw(live.directory) as raw:
            await raw.greeted()
            raw.reader._limit = 1
            raw.writer.transport.pause_reading()
            frame = json.dumps(request("trials")).encode() + b"\n"
            with contextlib.suppress(ConnectionError):
                for _ in range(3000):
                    raw.writer.write(frame)
                await asyncio.wait_for(raw.writer.drain(), 30)
            await soon(lambda: not live.daemon.server._clients, "the end of the connection")
