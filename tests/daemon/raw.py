"""A connection to a daemon without a client library, for frames that no client sends."""

import asyncio
import contextlib
import json

from nasd import protocol

PAGE = "qlearning.page"
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"protocol": protocol.PROTOCOL}}


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
