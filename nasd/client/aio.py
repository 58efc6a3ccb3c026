"""The asyncio client: answers and events over one connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Self

from nasd import protocol
from nasd.client import ssh
from nasd.client.session import Session
from nasd.client.target import Target
from nasd.errors import NasdError, NotRunningError


class Connection:
    """A connection to a daemon; `call` from any task of one loop, `events` from one."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter | asyncio.subprocess.Process,
        target: Target,
    ) -> None:
        self._reader = reader
        self._process = writer if isinstance(writer, asyncio.subprocess.Process) else None
        stream = self._process.stdin if self._process else writer
        assert stream is not None
        assert not isinstance(stream, asyncio.subprocess.Process)
        self._writer: asyncio.StreamWriter = stream
        self._target = target
        self._session = Session()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._events: asyncio.Queue[protocol.Event | None] = asyncio.Queue()
        self._failure: NasdError | None = None
        self._reading = asyncio.create_task(self._read(), name="nasd-client")
        self.hello: protocol.Hello

    @classmethod
    async def open(cls, target: Target, timeout: float = 15.0, *, files: bool = False) -> Self:
        """Connect and shake hands.

        Args:
            target: Which daemon.
            timeout: Seconds to wait for the handshake.
            files: Read the run's files instead, by a process that ends with this connection. Behind SSH that is done
                only if no daemon runs there.

        Raises:
            NotRunningError: Nobody answers.
            VersionError: The daemon speaks another version of the protocol.
        """
        try:
            if target.host is None and not files:
                reader, writer = await asyncio.open_unix_connection(str(target.socket), limit=2 * protocol.MAX_FRAME)
                connection = cls(reader, writer, target)
            else:
                connection = cls(*await _through_process(target, timeout, files=files), target)
        except OSError as error:
            raise NotRunningError(f"no daemon answers at {target}: {error.strerror or error}") from error
        try:
            id, frame = connection._session.hello()
            connection.hello = await connection._ask(id, frame, timeout)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def call(self, method: str, params: protocol.Params | None = None, timeout: float = 15.0) -> Any:
        """Ask, and wait for the answer: of the type that `protocol.METHODS` gives.

        Raises:
            RemoteError: The daemon refused; the message says why.
            NotRunningError: The connection is gone, or there was no answer within `timeout` seconds.
        """
        id, frame = self._session.request(method, params)
        return await self._ask(id, frame, timeout)

    async def subscribe(self) -> protocol.Snapshot:
        """Ask for events; read them with `events`."""
        snapshot: protocol.Snapshot = await self.call("subscribe")
        return snapshot

    async def events(self) -> AsyncIterator[protocol.Event]:
        """Events as they come, after `subscribe`; ends when the connection does."""
        while (event := await self._events.get()) is not None:
            yield event

    @property
    def failure(self) -> NasdError | None:
        """Why the connection ended; None while it lives."""
        return self._failure

    async def close(self) -> None:
        """End the connection; the daemon does not mind."""
        self._end(NotRunningError(f"the connection to {self._target} was closed"))
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._writer.close()
        if self._process is not None:
            await _end(self._process)

    async def _ask(self, id: int, frame: bytes, timeout: float) -> Any:
        if self._failure is not None:
            raise self._failure
        future = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(frame)
            await self._writer.drain()
            return await asyncio.wait_for(future, timeout)
        except TimeoutError as error:
            raise NotRunningError(f"{self._target} has not answered for {timeout:g} s") from error
        except OSError as error:
            raise NotRunningError(f"the connection to {self._target} broke: {error.strerror or error}") from error
        finally:
            self._waiting.pop(id, None)

    async def _read(self) -> None:
        failure: NasdError = NotRunningError(f"the daemon of {self._target} closed the connection")
        try:
            while frame := await self._reader.readline():
                answer = self._session.receive(frame)
                if isinstance(answer, tuple):
                    self._settle(*answer)
                elif answer is not None:
                    self._events.put_nowait(answer)
            if self._process is not None:
                assert self._process.stderr is not None
                said = (await self._process.stderr.read(4096)).decode(errors="replace").strip().splitlines()
                reason = f": {said[-1]}" if said else ""
                link = "SSH link to" if self._target.host else "reader of"
                failure = NotRunningError(f"the {link} {self._target} ended{reason}")
        except (OSError, ValueError) as error:  # ValueError: a line over the limit
            failure = NotRunningError(f"the connection to {self._target} broke: {error}")
        except NasdError as error:
            failure = error
        finally:
            self._end(failure)

    def _settle(self, id: int, answer: Any) -> None:
        future = self._waiting.get(id)
        if future is None or future.done():
            return
        if isinstance(answer, NasdError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _end(self, failure: NasdError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(failure)
        self._events.put_nowait(None)


async def _through_process(
    target: Target, timeout: float, *, files: bool
) -> tuple[asyncio.StreamReader, asyncio.subprocess.Process]:
    """What another nasd says behind its marker, and the process that carries it. Nothing is asked of a person.

    Raises:
        NasdError: There is no marker; the sentence says what to do.
    """
    process = await asyncio.create_subprocess_exec(
        *target.command(files=files),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2 * protocol.MAX_FRAME,
        start_new_session=True,  # Ctrl-C in the UI's terminal is not for ssh
    )
    assert process.stdout is not None
    before, code = b"", None
    try:
        async with asyncio.timeout(timeout):
            while not before.endswith(ssh.MARKER) and len(before) < ssh.MAX_BEFORE:
                if not (line := await process.stdout.readline()):
                    code = await process.wait()
                    break
                before += line
    except (TimeoutError, ValueError):  # ValueError: a line over the limit
        pass
    except BaseException:
        await _end(process)
        raise
    if before.endswith(ssh.MARKER):
        return process.stdout, process
    said = await _end(process)
    raise ssh.failure(target.host, code, before, said)


async def _end(process: asyncio.subprocess.Process) -> bytes:
    """End ssh; returns what it said on standard error."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    return (await process.communicate())[1]  # reads its pipes to their end, so that they are closed
