"""A blocking client: one question, one answer."""

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

from nasd import protocol
from nasd.client import ssh
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
    def connect(cls, target: Target, timeout: float | None = 10.0, *, files: bool = False) -> Self:
        """Connect and shake hands.

        Args:
            target: Which daemon.
            timeout: Seconds that any answer may take; None waits for ever.
            files: Behind SSH, have the run's files read where no daemon runs.

        Raises:
            NotRunningError: Nobody answers, or ssh does not reach it.
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
            return cls(*_through_ssh(target, target.host, closing, timeout, files=files), closing, str(target))
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


def _through_ssh(
    target: Target, host: str, closing: contextlib.ExitStack, timeout: float | None, *, files: bool
) -> tuple[IO[bytes], IO[bytes]]:
    """What nasd on another box says behind its marker, and what it hears.

    On a terminal ssh may ask for a password or about a host's key, and is waited for without a limit.

    Raises:
        NasdError: There is no marker; the sentence says what to do.
    """
    ask = os.isatty(0) and os.isatty(2)
    said = closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the connection
    connection, theirs = socket.socketpair()  # not pipes, which know no timeout
    with theirs, contextlib.ExitStack() as unused:
        unused.enter_context(connection)
        command = target.command(ask=ask, files=files)
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=said)
        unused.pop_all()
    closing.callback(_end, process)
    closing.enter_context(connection)
    reader, writer = connection.makefile("rb"), connection.makefile("wb")
    closing.enter_context(reader)
    closing.enter_context(writer)
    connection.settimeout(None if ask else timeout)
    before = b""
    with contextlib.suppress(OSError):  # a timeout is one
        while not before.endswith(ssh.MARKER) and len(before) < ssh.MAX_BEFORE:
            if not (line := reader.readline(ssh.MAX_BEFORE)):
                break
            before += line
    if not before.endswith(ssh.MARKER):
        connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        said.seek(0)
        raise ssh.failure(host, process.poll(), before, said.read(1 << 16))
    connection.settimeout(timeout)
    return reader, writer


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last(target: Target) -> str:
    return target.directory.name if target.directory else target.run or "RUN"
