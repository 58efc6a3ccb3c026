"""The asyncio client: answers and events over one connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Self

from nasd import protocol
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
    async def open(cls, target: Target, timeout: float = 15.0) -> Self:
        """Connect and shake hands.

        Args:
            target: Which daemon.
            timeout: Seconds to wait for the handshake.

        Raises:
            NotRunningError: Nobody answers.
            VersionError: The daemon speaks another version of the protocol.
        """
        try:
            if target.host is None:
                reader, writer = await asyncio.open_unix_connection(str(target.socket), limit=2 * protocol.MAX_FRAME)
                connection = cls(reader, writer, target)
            else:
                process = await asyncio.create_subprocess_exec(
                    *target.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=2 * protocol.MAX_FRAME,
                    start_new_session=True,  # Ctrl-C in the UI's terminal is not for ssh
                )
                assert process.stdout is not None
                connection = cls(process.stdout, process, target)
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
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.communicate()  # reads its pipes to their end, so that they are closed

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
                failure = NotRunningError(await self._ssh_failure(self._process))
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

    async def _ssh_failure(self, process: asyncio.subprocess.Process) -> str:
        assert process.stderr is not None
        said = (await process.stderr.read(4096)).decode(errors="replace").strip().splitlines()
        reason = f": {said[-1]}" if said else ""
        return f"the SSH link to {self._target} ended{reason}"
