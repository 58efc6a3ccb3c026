"""The client library against a real daemon: here and through a bridge, and what becomes of it when things go away."""

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import threading

import pytest

from nasd import protocol
from nasd.client import Client, RemoteError, Target, VersionError
from nasd.client.aio import Connection
from nasd.client.session import Session
from nasd.errors import NasdError, NotRunningError
from nasd.protocol.qlearning import QParams
from tests.helpers.nasd_harness import make


class TestHere:
    def test_blocking(self, daemon):
        with Client.connect(Target.parse("stub")) as client:
            assert client.hello.pid == daemon.pid
            assert client.status().state == "running"
            snapshot = client.subscribe()
            client.call("pause")
            client.call("resume")  # events that come meanwhile wait until they are asked for
            events = client.events()
            first = next(events)
            assert first.seq == snapshot.seq + 1
            states = [first.state] if isinstance(first, protocol.StateChanged) else []
            while "running" not in states:
                event = next(events)
                states += [event.state] if isinstance(event, protocol.StateChanged) else []
            assert states[0] == "pausing"
            with pytest.raises(RemoteError, match="there is no trial 999"):
                client.call("trial", protocol.TrialParams(number=999))

    async def test_asyncio(self, daemon):
        connection = await Connection.open(Target.parse("stub"))
        answers = await asyncio.gather(*(connection.call("status") for _ in range(50)))
        assert {answer.pid for answer in answers} == {daemon.pid}
        with pytest.raises(RemoteError, match="there is no trial 999"):
            await connection.call("trial", protocol.TrialParams(number=999))
        await connection.close()
        with pytest.raises(NotRunningError, match="was closed"):
            await connection.call("status")

    def test_nobody_there(self, home):
        directory = make(home)
        for prepare in (lambda: None, lambda: bind(directory)):
            prepare()
            with pytest.raises(NotRunningError, match="no daemon runs"):
                Client.connect(Target(directory=directory))
            with pytest.raises(NotRunningError, match="no daemon answers"):
                asyncio.run(Connection.open(Target(directory=directory)))

    def test_it_dies_in_the_middle(self, daemon):
        with Client.connect(Target.parse("stub")) as client:
            client.subscribe()
            daemon.kill()
            list(client.events())
            with pytest.raises(NotRunningError, match=r"closed the connection|broke"):
                client.status()

    async def test_it_dies_in_the_middle_of_events(self, daemon):
        connection = await Connection.open(Target.parse("stub"))
        await connection.subscribe()
        daemon.kill()
        async for _ in connection.events():
            pass
        assert isinstance(connection.failure, NotRunningError)
        with pytest.raises(NotRunningError, match="closed the connection"):
            await connection.call("status")
        await connection.close()

    async def test_it_hangs(self, daemon):
        connection = await Connection.open(Target.parse("stub"))
        client = await asyncio.to_thread(Client.connect, Target.parse("stub"), 0.2)
        daemon.process.send_signal(signal.SIGSTOP)
        with pytest.raises(NotRunningError, match="has not answered for"):
            await connection.call("status", timeout=0.2)
        with pytest.raises(NotRunningError, match="does not answer"):
            await asyncio.to_thread(client.status)
        with pytest.raises(NotRunningError, match="does not answer"):
            await asyncio.to_thread(Client.connect, Target.parse("stub"), 0.2)
        client.close()
        daemon.process.send_signal(signal.SIGCONT)
        assert (await connection.call("status", timeout=30)).pid == daemon.pid  # the late answer disturbs nobody
        await connection.close()


def bind(directory):
    """A socket that nobody listens on, as a killed daemon leaves it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "daemon.sock"))


class TestThroughABridge:
    def test_blocking(self, daemon, remote):
        with Client.connect(Target.parse("me@box:stub")) as client:
            assert client.hello.pid == daemon.pid
            assert client.status().name == "stub"

    async def test_asyncio_with_events(self, daemon, remote):
        connection = await Connection.open(Target.parse("me@box:"), 30)  # the only run there
        snapshot = await connection.subscribe()
        await connection.call("pause")
        async for event in connection.events():
            assert event.seq > snapshot.seq
            if isinstance(event, protocol.StateChanged) and event.state == "pausing":
                break
        await connection.close()

    async def test_a_large_frame_passes(self, daemon, remote):
        connection = await Connection.open(Target.parse("box:stub"), 30)
        answer = await connection.call("trials", protocol.TrialsParams(text="x" * 40_000))
        assert answer.total == 0
        with pytest.raises(RemoteError, match="there is no action"):
            await connection.call("qlearning.page", QParams(path=("x" * 900_000,)))
        await connection.close()

    async def test_the_daemon_dies(self, daemon, remote):
        connection = await Connection.open(Target.parse("box:stub"), 30)
        await connection.subscribe()
        daemon.kill()
        async for _ in connection.events():
            pass
        assert isinstance(connection.failure, NotRunningError)
        await connection.close()

    @pytest.mark.parametrize(
        ("run", "said"), [("nobody", "no run at"), ("stub", "start it with `nasd start` over there")]
    )
    async def test_there_is_none_over_there(self, home, remote, run, said):
        make(home)
        with pytest.raises(NotRunningError, match=r"^box: ") as caught:
            await Connection.open(Target.parse(f"box:{run}"), 30)
        assert said in str(caught.value)

    async def test_no_ssh(self, home, monkeypatch):
        monkeypatch.setenv("NASD_SSH", shlex.quote(str(home / "no-ssh")))
        with pytest.raises(NotRunningError):
            Client.connect(Target.parse("box:stub"))
        with pytest.raises(NotRunningError):
            await Connection.open(Target.parse("box:stub"))

    def test_what_is_no_host(self, home):
        with pytest.raises(NasdError, match="is no host name"):
            Target.parse("-oProxyCommand=x:run")

    def test_a_run_with_odd_characters_stays_one_word(self):
        assert Target(host="box", run="a; rm -rf 'x").command()[-1] == "nasd stdio -- 'a; rm -rf '\"'\"'x'"


class Impostor:
    """Something that listens on the socket and answers with fixed bytes."""

    def __init__(self, directory, answer):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "daemon.sock"))
        self.listener.listen()
        self.answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        connection.recv(10_000)
        with contextlib.suppress(OSError):  # it need not read all of it
            connection.sendall(self.answer)
        connection.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [  # what it says
        (b"SSH-2.0-OpenSSH\n", VersionError),
        (b"\xff\xfe\n", VersionError),
        (b'{"jsonrpc": "2.0", "id": 1, "result": {"protocol": "one"}}\n', VersionError),
        (b'{"jsonrpc": "2.0", "id": 99, "result": {}}\n', RemoteError),
        (b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "update nasd"}}\n', VersionError),
        (b'{"jsonrpc": "2.0", "id": 1, "resu', NasdError),
        (b"", NotRunningError),
        (b"x" * (3 << 20), NasdError),
    ],
    ids=["SSH", "bytes", "no hello", "another id", "an error", "half a line", "nothing", "too much"],
)
def test_what_is_no_daemon_is_an_error_of_ours(home, answer, error):
    for number, connect in enumerate(
        (Client.connect, lambda target: asyncio.run(Connection.open(target, 10)))
    ):  # fmt: skip
        directory = make(home, name=f"run{number}")
        Impostor(directory, answer)
        with pytest.raises(error):
            connect(Target(directory=directory))


def test_an_event_of_a_later_version_is_skipped():
    session = Session()
    event = b'{"jsonrpc": "2.0", "method": "event", "params": {"type": "music", "seq": 1, "time": 0}}'
    assert session.receive(event) is None


def test_the_home_of_this_test_is_short(home):
    assert len(os.fsencode(home)) < 60
