"""The client's side of the protocol without any I/O: frames in, typed answers out."""

from typing import Any

import msgspec

from nasd import __version__, protocol
from nasd.errors import NasdError


class RemoteError(NasdError):
    """The daemon answered with an error; `code` is one of `protocol.ErrorCode`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class VersionError(NasdError):
    """The daemon speaks another version of the protocol."""


class Session:
    """Numbers requests and gives answers their types."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[int, str] = {}

    def request(self, method: str, params: protocol.Params | None = None) -> tuple[int, bytes]:
        """The id and the frame of a request."""
        self._last += 1
        self._open[self._last] = method
        return self._last, protocol.encode_request(self._last, method, params or protocol.Empty())

    def hello(self) -> tuple[int, bytes]:
        """The first request of every connection."""
        return self.request("hello", protocol.HelloParams(protocol=protocol.PROTOCOL, client=f"nasd {__version__}"))

    def receive(self, frame: bytes) -> tuple[int, Any] | protocol.Event | None:
        """What a frame from the daemon means.

        Returns:
            (id, result or exception) for an answer, an event, or None for an event of a kind not known here.

        Raises:
            RemoteError: The daemon complains about the connection itself and will end it.
            VersionError: The frame does not follow the protocol.
        """
        try:
            response = protocol.decode_response(frame)
        except msgspec.DecodeError as error:
            raise VersionError(f"what answers does not speak nasd's protocol: {error}") from error
        if response.method is not None:
            try:
                return protocol.decode_event(response.params)
            except msgspec.ValidationError:
                return None
        problem = response.error
        if not isinstance(response.id, int) or response.id not in self._open:
            raise RemoteError(problem.code if problem else 0, problem.message if problem else "an answer to no request")
        method = self._open.pop(response.id)
        if problem is None:
            try:
                return response.id, msgspec.json.decode(response.result, type=protocol.METHODS[method][1])
            except msgspec.DecodeError as error:
                return response.id, VersionError(f"the daemon's answer to {method} is not understood: {error}")
        if problem.code == protocol.ErrorCode.HANDSHAKE:
            return response.id, VersionError(problem.message)
        return response.id, RemoteError(problem.code, problem.message)
