"""The socket, as polite clients see it: every method, the handshake, many clients, the stop."""

import asyncio
import contextlib

import msgspec
import pytest

from nasd import protocol
from nasd.client import Client, Target
from nasd.daemon import server as server_module
from nasd.errors import NotRunningError
from nasd.protocol import ErrorCode
from nasd.protocol.qlearning import NeighboursParams
from tests.daemon.raw import HELLO, PAGE, Raw, request
from tests.helpers.nasd_harness import Process, living, make, soon

NET = "[C(16,3,1,1,1), SM(10)]"


PARAMS = {
    "hello": protocol.HelloParams(protocol=protocol.PROTOCOL),
    "trial": protocol.TrialParams(number=1),
    "queue_job": protocol.QueueJobParams(net=NET),
    "cancel_job": protocol.JobParams(id=1),
    "move_job": protocol.MoveJobParams(id=1, priority=3),
    "mark": protocol.MarkParams(number=1, star=True),
    "set": protocol.SetParams(settings=("executor.trial_timeout=90",)),
    "qlearning.neighbours": NeighboursParams(net=NET),
}


@pytest.mark.parametrize("method", sorted(set(protocol.METHODS) - {"hello"}))
async def test_every_method_is_answered_with_its_type(home, method):
    directory = make(home, 30, protocol.strategy_of(method) or "qlearning")
    (directory / "gate").touch()
    async with living(directory) as live:
        await live.busy()
        client = await live.connect()
        if method in ("mark", "trial"):
            (directory / "gate").unlink()
            await soon(lambda: live.trials, "a trial")
        if method in ("cancel_job", "move_job"):
            await client.call("queue_job", PARAMS["queue_job"])
        if method == "move_job":  # it is the second one that waits
            await client.call("queue_job", PARAMS["queue_job"])
        params = protocol.MoveJobParams(id=2, priority=3) if method == "move_job" else PARAMS.get(method)
        answer = await client.call(method, params)
        assert type(answer) is protocol.METHODS[method][1]
        await client.close()


class TestHandshake:
    async def test_nothing_is_answered_before_hello(self, finished):
        async with Raw(finished.directory) as raw:
            answer = await raw.ask(request("status"))
            assert answer["error"]["code"] == ErrorCode.HANDSHAKE
            assert "the first request must be hello" in answer["error"]["message"]
            assert await raw.read() is None

    @pytest.mark.parametrize(
        ("version", "sentence"),
        [
            (protocol.PROTOCOL + 1, "the client is newer than the daemon"),
            (protocol.PROTOCOL - 1, "the daemon is newer than the client"),
        ],
    )
    async def test_another_version_is_told_who_has_to_update(self, finished, version, sentence):
        async with Raw(finished.directory) as raw:
            answer = await raw.ask(request("hello", {"protocol": version}))
            assert answer["error"]["code"] == ErrorCode.HANDSHAKE
            assert sentence in answer["error"]["message"]
            assert "update nasd where the" in answer["error"]["message"]
            assert await raw.read() is None

    @pytest.mark.parametrize("params", [{}, {"protocol": "1"}, {"protocol": 1.5}, {"protocol": 10**40}, {"x": 1}, []])
    async def test_bad_params(self, finished, params):
        async with Raw(finished.directory) as raw:
            answer = await raw.ask({**HELLO, "params": params})
            assert answer["error"]["code"] == ErrorCode.INVALID_PARAMS

    async def test_who_says_nothing_is_dropped(self, home, monkeypatch):
        monkeypatch.setattr(server_module, "HANDSHAKE_TIME", 0.1)
        async with living(make(home, 3)) as live, Raw(live.directory) as raw:
            assert await raw.read() is None

    async def test_the_client_says_who_has_to_update(self, finished, monkeypatch):
        monkeypatch.setattr(protocol, "PROTOCOL", 99)
        with pytest.raises(Exception, match=r"the client is newer than the daemon .*update nasd where the daemon runs"):
            Client.connect(Target(directory=finished.directory))


async def test_two_hundred_clients(finished):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Raw(finished.directory)) for _ in range(200)]
        await asyncio.gather(*(client.greeted() for client in clients))
        answers = await asyncio.gather(*(client.ask(request("status")) for client in clients))
        assert all(answer["result"]["state"] == "finished" for answer in answers)


async def test_more_clients_than_enough_are_refused(home, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CLIENTS", 3)
    async with living(make(home, 3)) as live, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Raw(live.directory)) for _ in range(3)]
        for client in clients:
            await client.greeted()
        async with Raw(live.directory) as late:
            assert (await late.ask(HELLO))["error"]["message"] == "3 clients are enough"
        assert "result" in await clients[0].ask(request("status"))


async def test_text_from_clients_names_no_file(finished, tmp_path):
    before = {path for path in finished.directory.rglob("*") if "log" not in path.parts}
    async with Raw(finished.directory) as raw:
        await raw.greeted()
        for text in ("../../x", "/etc/passwd", str(tmp_path / "x"), "a/b", "\x00"):
            await raw.ask(request("trials", {"text": text}))
            await raw.ask(request(PAGE, {"path": [text]}))
            await raw.ask(request("queue_job", {"net": text}))
            await raw.ask(request("log", {"text": text}))
            await raw.ask(request("export", {"what": text}))
    assert {path for path in finished.directory.rglob("*") if "log" not in path.parts} == before
    assert list(tmp_path.iterdir()) == []


async def test_who_is_connected_at_the_stop_is_no_fault(home, caplog):
    async with living(make(home, 3)) as live:
        client = await live.connect()
        await live.stop()
        await client.close()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_a_stopped_daemon_hangs_up(home):
    directory = make(home, 3)
    with Process(directory) as daemon:
        daemon.ready()
        with daemon.client() as client:
            client.subscribe()
            daemon.end()
            list(client.events())
            with pytest.raises(NotRunningError):
                client.status()


def test_every_method_has_params_and_an_answer():
    for params, answer in protocol.METHODS.values():
        assert issubclass(params, protocol.Params)
        assert issubclass(answer, msgspec.Struct)
