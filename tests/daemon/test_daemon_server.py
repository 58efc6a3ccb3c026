"""The socket, as clients of every kind see it: polite, mistaken, broken, hostile."""

import asyncio
import contextlib
import itertools
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasd import protocol
from nasd.client import Client, RemoteError, Target
from nasd.daemon import server as server_module
from nasd.errors import NotRunningError
from nasd.protocol import ErrorCode
from nasd.protocol.qlearning import NeighboursParams
from tests.helpers.nasd_harness import Process, living, make, short_folder, soon

NET = "[C(16,3,1,1,1), SM(10)]"
PAGE = "qlearning.page"
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"protocol": protocol.PROTOCOL}}


@pytest.fixture(scope="module")
def finished():
    """A daemon whose search is done, in a process of its own."""
    with short_folder() as home:
        directory = make(home, 8)
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            yield daemon


class Raw:
    """A connection without a client library."""

    def __init__(self, directory):
        self.path = str(directory / "daemon.sock")

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_unix_connection(self.path, limit=1 << 24)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, frame):
        """Send bytes, or a request; the answer, or None if the daemon hung up."""
        frame = frame if isinstance(frame, bytes) else json.dumps(frame).encode() + b"\n"
        with contextlib.suppress(ConnectionError):
            self.writer.write(frame)
            await self.writer.drain()
        return await self.read()

    async def read(self):
        try:
            line = await asyncio.wait_for(self.reader.readline(), 30)
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    async def greeted(self):
        assert "result" in await self.ask(HELLO)
        return self


def request(method, params=None, id=2):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}


PARAMS = {
    "hello": protocol.HelloParams(protocol=protocol.PROTOCOL),
    "trial": protocol.TrialParams(number=1),
    "queue_job": protocol.QueueJobParams(net=NET),
    "cancel_job": protocol.JobParams(id=1),
    "move_job": protocol.MoveJobParams(id=1, priority=3),
    "mark": protocol.MarkParams(number=1, star=True),
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


NO_REQUESTS = {
    "text": (b"hello\n", ErrorCode.PARSE),
    "bytes": (b"\xff\xfe\x00\n", ErrorCode.PARSE),
    "an empty line": (b"\n", ErrorCode.PARSE),
    "no UTF-8": (b'{"jsonrpc": "2.0", "method": "\xff"}\n', ErrorCode.PARSE),
    "a list": (b"[]\n", ErrorCode.INVALID_REQUEST),
    "half a list": (b"[\n", ErrorCode.INVALID_REQUEST),
    "too deep": (b'{"jsonrpc": "2.0", "method": "trial", "params": ' + b'{"a":' * 100_000 + b"\n", ErrorCode.PARSE),
    "another JSON-RPC": (b'{"jsonrpc": "1.0", "method": "status"}\n', ErrorCode.INVALID_REQUEST),
    "no method": (b'{"jsonrpc": "2.0"}\n', ErrorCode.INVALID_REQUEST),
    "a number for a method": (b'{"jsonrpc": "2.0", "method": 1}\n', ErrorCode.INVALID_REQUEST),
    "too large": (b"x" * (protocol.MAX_FRAME + 10) + b"\n", ErrorCode.TOO_LARGE),
}


class TestMistakes:
    """An error in a sentence; the connection lives on unless the framing itself is in doubt."""

    async def test_unknown_method(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            for method in ("frobnicate", "hello", "__init__", "_do_status", "", "x" * 10_000):
                answer = await raw.ask(request(method))
                assert answer["error"]["code"] == ErrorCode.UNKNOWN_METHOD
                assert "there are cancel_job" in answer["error"]["message"]
            assert "result" in await raw.ask(request("status"))

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("trial", {}), ("trial", {"number": "1"}), ("trial", {"number": None}), ("trial", {"number": 1.5}),
            ("trials", {"sort": "net"}), ("trials", {"limit": "all"}), ("trials", {"status": ["great"]}),
            ("trials", {"offset": 10**30}), ("trials", {"limit": -(10**30)}), ("trial", {"number": 10**30}),
            ("trials", {"colour": "blue"}), (PAGE, {"path": "SM(10)"}), ("status", {"x": 1}),
            ("log", {"level": "loud"}),
            ("queue_job", {"kind": "shell"}), ("move_job", {"id": 1}),
            ("trials", [1, 2]), ("trials", 7), ("trials", "x"),
        ],
    )  # fmt: skip
    async def test_bad_params(self, finished, method, params):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask({**request(method), "params": params})
            assert answer["error"]["code"] == ErrorCode.INVALID_PARAMS
            assert answer["error"]["message"].startswith(f"{method}: ")
            assert "result" in await raw.ask(request("status"))

    @pytest.mark.parametrize(
        ("method", "params", "message"),
        [
            ("trial", {"number": 10**6}, "there is no trial 1000000: the newest is"),
            ("trial", {"number": -(2**53)}, "there is no trial"),
            (PAGE, {"path": ["C(9,9,9,9,9)"]}, "after 0 layers there is no action"),
            (PAGE, {"path": ["../../etc/passwd"]}, "there is no action"),
            ("export", {"what": "../../etc/passwd"}, "this run has no table"),
            ("evolution.population", {}, "this run's strategy is qlearning"),
            ("cancel_job", {"id": 2**53}, "there is no job"),
            ("pause", {}, "the search is finished"),
        ],
    )
    async def test_what_cannot_be_is_refused_in_a_sentence(self, finished, method, params, message):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask(request(method, params))
            assert answer["error"]["code"] == ErrorCode.REFUSED
            assert message in answer["error"]["message"]

    @pytest.mark.parametrize("what", sorted(NO_REQUESTS))
    async def test_what_is_no_request_ends_this_client_alone(self, finished, what):
        frame, code = NO_REQUESTS[what]
        async with Raw(finished.directory) as other, Raw(finished.directory) as raw:
            await other.greeted()
            await raw.greeted()
            answer = await raw.ask(frame)
            assert answer["error"]["code"] == code
            assert await raw.read() is None
            assert "result" in await other.ask(request("status"))

    async def test_deep_params_are_an_error(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            deep = b"[" * 50_000 + b"]" * 50_000
            frame = json.dumps({"jsonrpc": "2.0", "id": 2, "method": PAGE, "params": {"path": []}}).encode()
            answer = await raw.ask(frame.replace(b"[]", deep) + b"\n")
            assert "error" in answer
        for method in (PAGE, "hello"):
            async with Raw(finished.directory) as raw:
                await raw.greeted() if method == PAGE else None
                head = f'{{"jsonrpc": "2.0", "id": 2, "method": "{method}", "params": '.encode()
                assert "error" in await raw.ask(head + b'{"path": ["\xff"], "client": "\xff"}}\n')

    async def test_a_frame_without_end(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask(b"x" * (3 * protocol.MAX_FRAME))
            assert answer is None or answer["error"]["code"] == ErrorCode.TOO_LARGE
            assert await raw.read() is None
        assert finished.status().state == "finished"

    async def test_half_a_frame(self, finished):
        for frame in (b"", b"{", b'{"jsonrpc": "2.0", "id": 3, "method": "stop"', json.dumps(request("stop")).encode()):
            async with Raw(finished.directory) as raw:
                await raw.greeted()
                raw.writer.write(frame)
                raw.writer.write_eof()
                assert await raw.read() is None
        assert finished.status().state == "finished"

    async def test_many_requests_in_one_write(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            frames = [json.dumps(request("trial", {"number": 1}, id=n)).encode() + b"\n" for n in range(200)]
            raw.writer.write(b"".join(frames))
            assert [(await raw.read())["id"] for _ in frames] == list(range(200))

    async def test_a_text_that_sqlite_does_not_take(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            for text in ("%" * 60_000, "'; DROP TABLE trial; --", "\x00", "\\", "💥"):
                answer = await raw.ask(request("trials", {"text": text}))
                assert "error" not in answer or answer["error"]["code"] == ErrorCode.REFUSED
            assert (await raw.ask(request("trials")))["result"]["total"] >= 8


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["offset", "limit", "number", "text", "sort", "status", "path", "points", "before", "level"])
harmless = st.sampled_from(["status", "trials", "trial", PAGE, "rewards", "jobs", "log", "runs", "config", "subscribe"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(harmless, st.dictionaries(fields, json_values, max_size=3)).map(
            lambda pair: json.dumps(request(*pair)).encode()
        ),
    )
)
def test_whatever_is_sent_it_answers_or_hangs_up(finished, frame):
    async def send():
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            raw.writer.write(frame + b"\n")
            raw.writer.write_eof()
            while (answer := await raw.read()) is not None:
                assert answer["jsonrpc"] == "2.0"
                assert answer.get("error", {}).get("code") != ErrorCode.INTERNAL, answer

    asyncio.run(send())
    assert finished.process.poll() is None


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
        monkeypatch.setattr(server_module, "BACKLOG", 200_000)
        directory = make(home, 3)
        async with living(directory) as live, Raw(directory) as sleeper:
            await sleeper.greeted()
            await sleeper.ask(request("subscribe"))
            sleeper.writer.transport.pause_reading()
            client = await live.connect()
            await client.subscribe()
            server = live.daemon.server
            for number in itertools.count():
                server_module.log.warning("%d %s", number, "x" * 3000)
                if number % 50 == 0:
                    await asyncio.sleep(0)
                if server.subscribers == 1:
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
