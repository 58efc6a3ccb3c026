"""A blocking client: one question, one answer."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

from nasd import protocol
from nasd.client.session import Session
from nasd.client.target import Target
from nasd.errors import NasdError, NotRunningError


class Client:
    """A connection to a daemon. Use it as a context manager, or call `close`. Not for several threads at once."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes], closing: contextlib.ExitStack, name: str) -> None:
        self._reader, self._writer, self._closing, self._name = reader, writer, closing, name
        self._session = Session()
        self._events: list[protocol.Event] = []
        id, frame = self._session.hello()
        self.hello: protocol.Hello = self._ask(id, frame)

    @classmethod
    def connect(cls, target: Target, timeout: float | None = 10.0) -> Self:
        """Connect and shake hands.

        Args:
            target: Which daemon.
            timeout: Seconds that any answer may take; None waits for ever.

        Raises:
            NotRunningError: Nobody answers.
            VersionError: The daemon speaks another version of the protocol.
        """
        closing = contextlib.ExitStack()
        try:
            if target.host is None:
                connection = closing.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                connection.settimeout(timeout)
                connection.connect(str(target.socket))
                reader = closing.enter_context(connection.makefile("rb"))
                return cls(reader, closing.enter_context(connection.makefile("wb")), closing, str(target))
            process = subprocess.Popen(
                target.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            closing.callback(_end, process)
            for pipe in (process.stderr, process.stdout, process.stdin):
                closing.callback(pipe.close)
            try:
                return cls(process.stdout, process.stdin, closing, str(target))
            except NotRunningError as error:
                said = process.stderr.read(4096).decode(errors="replace").strip().splitlines()
                if said:  # what ssh, or nasd over there, has to say is nearer to the cause
                    raise NotRunningError(f"{target.host}: {said[-1].removeprefix('nasd: ')}") from error
                raise
        except (FileNotFoundError, ConnectionRefusedError) as error:
            closing.close()
            raise NotRunningError(f"no daemon runs {target}: start it with `nasd start {_last(target)}`") from error
        except PermissionError as error:
            closing.close()
            raise NotRunningError(f"{target} belongs to another user: its socket may not be opened") from error
        except OSError as error:
            closing.close()
            raise NotRunningError(f"no daemon answers at {target}: {error.strerror or error}") from error
        except BaseException:
            closing.close()
            raise

    def call(self, method: str, params: protocol.Params | None = None) -> Any:
        """Ask, and wait for the answer: of the type that `protocol.METHODS` gives.

        Raises:
            RemoteError: The daemon refused; the message says why.
            NotRunningError: The daemon went away, or did not answer in time.
        """
        return self._ask(*self._session.request(method, params))

    def status(self) -> protocol.Status:
        """Where the search is."""
        status: protocol.Status = self.call("status")
        return status

    def subscribe(self) -> protocol.Snapshot:
        """Ask for events; read them with `events`."""
        snapshot: protocol.Snapshot = self.call("subscribe")
        return snapshot

    def events(self) -> Iterator[protocol.Event]:
        """Events as they come, after `subscribe`; ends when the connection does, or when nothing at all came for the
        connection's timeout: a subscriber hears a heartbeat every two seconds.
        """
        while True:
            while self._events:
                yield self._events.pop(0)
            try:
                frame = self._reader.readline(protocol.MAX_FRAME + 1)
            except OSError:
                return
            if not frame:
                return
            answer = self._session.receive(frame)
            if answer is not None and not isinstance(answer, tuple):
                yield answer

    def close(self) -> None:
        """End the connection; the daemon does not mind."""
        with contextlib.suppress(OSError):
            self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, id: int, frame: bytes) -> Any:
        try:
            self._writer.write(frame)
            self._writer.flush()
            while True:
                line = self._reader.readline(protocol.MAX_FRAME + 1)
                if not line:
                    raise NotRunningError(f"the daemon of {self._name} closed the connection")
                answer = self._session.receive(line)
                if isinstance(answer, tuple):
                    if answer[0] == id:
                        if isinstance(answer[1], NasdError):
                            raise answer[1]
                        return answer[1]
                elif answer is not None:
                    self._events.append(answer)
        except TimeoutError as error:
            raise NotRunningError(
                f"the daemon of {self._name} does not answer: look at its log, or restart it"
            ) from error
        except OSError as error:
            raise NotRunningError(f"the connection to {self._name} broke: {error.strerror or error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last(target: Target) -> str:
    return target.directory.name if target.directory else target.run or "RUN"
