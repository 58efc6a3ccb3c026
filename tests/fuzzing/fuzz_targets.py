"""What is read from strangers, each as a function of bytes that raises nothing but what its reader promises.

Each also holds what was read to a property: written again and read again it is the same. `guided.py` searches for bytes
that break one of them; what it begins with, and what it found, is in `corpus/` and tried by the tests.
"""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from nasd import config as configuration
from nasd import protocol
from nasd.daemon.broadcast import Broadcast
from nasd.daemon.server import Peer, Server
from nasd.errors import ConfigError
from nasd.executors import messages
from nasd.runs.published import q_values, replay
from nasd.runs.published.table import CsvError
from nasd.spaces.base import GrammarError
from nasd.spaces.layers.parse import parse

CORPUS = Path(__file__).parent / "corpus"
SHARED = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def grammar(data: bytes) -> None:
    """Architectures, from files and from the socket: the first two bytes choose image size and classes."""
    text = data[2:].decode("utf-8", "replace")
    patch_size, classes = (data[0] if data else 0) + 1, (data[1] if len(data) > 1 else 0) + 1
    try:
        found = parse(text, patch_size, classes)
    except GrammarError:
        return
    assert parse(str(found), patch_size, classes) == found


def config(data: bytes) -> None:
    """A run's `config.yaml`."""
    try:
        found = configuration.parse(data.decode("utf-8", "replace"))
    except ConfigError:
        return
    assert configuration.parse(configuration.dump(found)) == found


def replay_csv(data: bytes) -> None:
    """A replay buffer of the published code."""
    with tempfile.NamedTemporaryFile(dir=SHARED) as first, tempfile.TemporaryDirectory(dir=SHARED) as folder:
        first.write(data)
        first.flush()
        try:
            rows = replay.read(Path(first.name))
        except CsvError:
            return
        again = Path(folder, "again.csv")
        assert replay.write(again, rows) == len(rows)
        assert [(row.epsilon, row.net, row.reward) for row in replay.read(again, unit="fraction")] == [
            (row.epsilon, row.net, row.reward) for row in rows
        ]


def q_csv(data: bytes) -> None:
    """Q-values of the published code."""
    with tempfile.NamedTemporaryFile(dir=SHARED) as first, tempfile.TemporaryDirectory(dir=SHARED) as folder:
        first.write(data)
        first.flush()
        try:
            rows = q_values.read(Path(first.name))
        except CsvError:
            return
        again = Path(folder, "again.csv")
        assert q_values.write(again, rows) == len(rows)
        assert q_values.read(again) == rows


NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what the server takes for a client's fault


def frames(data: bytes) -> None:
    """A line on the socket, either way, and between daemon and worker."""
    for decode in (protocol.decode_response, messages.decode_request, messages.decode_report):
        with contextlib.suppress(*NOT_JSON):
            decode(data)
    with contextlib.suppress(*NOT_JSON):
        protocol.decode_event(msgspec.Raw(data))
    with contextlib.suppress(*NOT_JSON):
        request = protocol.decode_request(data)
        if request.method in protocol.METHODS:
            wanted = protocol.METHODS[request.method][0]
            params = msgspec.json.decode(request.params or b"{}", type=wanted)
            written = protocol.encode_request(1, request.method, params)
            assert msgspec.json.decode(protocol.decode_request(written).params, type=wanted) == params


class Ear:
    """As much of a client's connection as the server needs."""

    def __init__(self):
        self.heard = bytearray()
        self.write = self.heard.extend

    async def drain(self):
        pass


LOOP = asyncio.new_event_loop()
HELLO = protocol.Hello(protocol=protocol.PROTOCOL, version="1", name="run", directory="/run", pid=1)


async def answered(method, params):
    return protocol.Done(message=method)


def session(data: bytes) -> None:
    """All that one client sends: each answer is one, and nobody but that client notices."""
    asyncio.set_event_loop(LOOP)
    ear, server = Ear(), Server(Path("/nowhere"), lambda: HELLO, answered, Broadcast())

    async def serve():
        reader = asyncio.StreamReader(limit=1024)
        reader.feed_data(data)
        reader.feed_eof()
        await server._serve(Peer(1, 0, 0), reader, ear)

    LOOP.run_until_complete(serve())
    for line in bytes(ear.heard).splitlines():
        answer = protocol.decode_response(line)
        assert answer.error is None or answer.error.code != protocol.ErrorCode.INTERNAL


TARGETS = {target.__name__: target for target in (grammar, config, replay_csv, q_csv, frames, session)}
