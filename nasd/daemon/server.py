"""The socket server: JSON-RPC to whoever may connect, events to whoever subscribed."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from nasd import __version__, protocol
from nasd.daemon.broadcast import Broadcast
from nasd.daemon.methods import Methods
from nasd.daemon.turns import Turns
from nasd.errors import NasdError
from nasd.protocol import ErrorCode, Hello, HelloParams, Request

log = logging.getLogger("nasd.server")

HANDSHAKE_TIME = 10.0  # seconds until `hello`
WRITE_TIME = 10.0  # seconds that a client may take to read an answer
MAX_CLIENTS = 256

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Peer(NamedTuple):
    """Who connected."""

    pid: int
    uid: int
    gid: int


class Server:
    """Serves one Unix socket.

    Args:
        path: Of the socket.
        hello: Greets a client.
        methods: Answer what it asks.
        broadcast: Whom a client that subscribes listens to.
    """

    def __init__(self, path: Path, hello: Callable[[], Hello], methods: Methods, broadcast: Broadcast) -> None:
        self._path, self._hello, self._methods, self._broadcast = path, hello, methods, broadcast
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._turns = Turns()

    async def start(self) -> None:
        """Bind and listen. The caller holds the run's lock, so a socket that is there already is a dead daemon's.

        Raises:
            NasdError: Something that is not a socket is in the way, or the folder does not take one.
        """
        _clear(self._path)
        before = os.umask(0o177)  # the socket is born 0600: there is no moment at which others may connect
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, str(self._path), limit=protocol.MAX_FRAME, backlog=MAX_CLIENTS
            )
        except OSError as error:
            raise NasdError(f"cannot listen on {self._path}: {error.strerror or error}") from error
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening, let every client go, remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            self._path.unlink()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client that did not come by the socket, such as one on a pipe, until it leaves."""
        try:
            await self._serve(Peer(os.getpid(), os.getuid(), os.getgid()), reader, writer)
        except (OSError, TimeoutError):
            pass  # it went away
        finally:
            self._broadcast.discard(writer)
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > MAX_CLIENTS:
                await _send(writer, protocol.encode_error(None, ErrorCode.REFUSED, f"{MAX_CLIENTS} clients are enough"))
            elif (peer := _peer(writer)).uid not in (os.getuid(), 0):
                await _send(writer, protocol.encode_error(None, ErrorCode.REFUSED, "this run belongs to another user"))
            else:
                await self._serve(peer, reader, writer)
        except (OSError, TimeoutError):
            pass  # the client went away, or does not read: its own business
        except asyncio.CancelledError:
            pass  # by `close`; asyncio would log a cancelled connection as a fault
        finally:
            self._clients.discard(task)
            self._broadcast.discard(writer)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _serve(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted = False
        while True:
            try:
                async with asyncio.timeout(None if greeted else HANDSHAKE_TIME):
                    frame = await reader.readline()
            except ValueError:
                limit = f"a frame may have {protocol.MAX_FRAME} bytes"
                await _send(writer, protocol.encode_error(None, ErrorCode.TOO_LARGE, limit))
                return
            if not frame.endswith(b"\n"):  # the end, perhaps in the middle of a frame
                return
            await self._turns.take(peer.pid)
            try:
                request = protocol.decode_request(frame)
            except msgspec.ValidationError as error:
                await _send(writer, protocol.encode_error(None, ErrorCode.INVALID_REQUEST, f"no request: {error}"))
                return
            except _NOT_JSON as error:
                await _send(writer, protocol.encode_error(None, ErrorCode.PARSE, f"not JSON: {error}"))
                return
            if not greeted:
                greeted, answer = self._greet(request)
                await _send(writer, answer)
                if not greeted:
                    return
                continue
            await _send(writer, await self._answer(request, writer))

    def _greet(self, request: Request) -> tuple[bool, bytes]:
        if request.method != "hello":
            message = "the first request must be hello, with the protocol's version"
            return False, protocol.encode_error(request.id, ErrorCode.HANDSHAKE, message)
        try:
            params = msgspec.json.decode(request.params, type=HelloParams, strict=True)
        except _NOT_JSON as error:
            return False, protocol.encode_error(request.id, ErrorCode.INVALID_PARAMS, f"hello: {error}")
        if params.protocol != protocol.PROTOCOL:
            older, newer = ("client", "daemon") if params.protocol < protocol.PROTOCOL else ("daemon", "client")
            message = (
                f"the {newer} is newer than the {older} (protocol {params.protocol} asked of nasd {__version__}, which "
                f"speaks {protocol.PROTOCOL}): update nasd where the {older} runs"
            )
            return False, protocol.encode_error(request.id, ErrorCode.HANDSHAKE, message)
        return True, protocol.encode_result(request.id, self._hello())

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bytes:
        method = protocol.METHODS.get(request.method)
        if method is None or request.method == "hello":
            message = f"no method {request.method[:100]!r}; there are {', '.join(self._methods.names)}"
            return protocol.encode_error(request.id, ErrorCode.UNKNOWN_METHOD, message)
        try:
            params = msgspec.json.decode(request.params or b"{}", type=method.params)
        except _NOT_JSON as error:
            return protocol.encode_error(request.id, ErrorCode.INVALID_PARAMS, f"{request.method}: {error}")
        try:
            result = await self._methods.call(request.method, params)
        except NasdError as error:
            return protocol.encode_error(request.id, ErrorCode.REFUSED, str(error))
        except Exception:
            log.exception("%s failed", request.method)
            message = f"{request.method} failed inside the daemon: its log has the traceback"
            return protocol.encode_error(request.id, ErrorCode.INTERNAL, message)
        frame = protocol.encode_result(request.id, result)
        if len(frame) > protocol.MAX_FRAME:
            message = f"the answer to {request.method} is larger than a frame may be: ask for less at once"
            return protocol.encode_error(request.id, ErrorCode.TOO_LARGE, message)
        if request.method == "subscribe":
            self._broadcast.add(writer)
        return frame


async def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(frame)
    async with asyncio.timeout(WRITE_TIME):
        await writer.drain()


def _peer(writer: asyncio.StreamWriter) -> Peer:
    """The process at the other end, from the kernel."""
    connection = writer.get_extra_info("socket")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Peer(*struct.unpack("3i", credentials))


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise NasdError(f"{path} is in the way of the daemon's socket and is none: move it elsewhere")
    path.unlink()
