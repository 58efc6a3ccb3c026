"""Frames: JSON-RPC 2.0, one object a line, and what every message is built on.

One frame is one line of at most `MAX_FRAME` bytes. A client's first request is `hello`; nothing else is answered before
it. `subscribe` answers with a `Snapshot` and then sends `event` notifications whose `seq` counts on from the snapshot's
without a gap; a client that sees a gap subscribes again.
"""

from typing import Annotated, Literal, NamedTuple

import msgspec

PROTOCOL = 2
"""Raised whenever an older peer could misread a message. Independent of the package's version."""

MAX_FRAME = 1 << 20
MAX_PAGE = 500
"""Rows that one page of a list holds at most."""

Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""A number that a client sends: what every JSON reader holds exactly, and what SQLite takes."""


class ErrorCode:
    """JSON-RPC error codes; the first five are the standard's."""

    PARSE = -32700
    INVALID_REQUEST = -32600
    UNKNOWN_METHOD = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    HANDSHAKE = -32001  # `hello` is missing, or the versions differ
    REFUSED = -32002  # understood, but not possible now; the message says why
    TOO_LARGE = -32003


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen. Unknown fields are ignored, so that a newer peer may add some."""


class Params(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends. A misspelt parameter is an error."""


class Method(NamedTuple):
    """What a method takes and what it answers."""

    params: type[Params]
    answer: type[Message]


class Empty(Params, frozen=True):
    """Of a method that takes nothing."""


class Done(Message, frozen=True):
    """A request was carried out; `message` says what happened, for a person."""

    message: str


class HelloParams(Params, frozen=True):
    """`hello`: the first request of every connection."""

    protocol: Whole
    client: str = ""


class Hello(Message, frozen=True):
    """The daemon's answer to `hello`."""

    protocol: int
    version: str
    name: str
    directory: str
    pid: int


# --- envelopes ---------------------------------------------------------------------------------------------------


class Request(Message, frozen=True):
    """What a client sends."""

    jsonrpc: Literal["2.0"]
    method: str
    id: int | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class RpcError(Message, frozen=True):
    """Why a request was not fulfilled, in a sentence for a person."""

    code: int
    message: str


class Response(Message, frozen=True):
    """What a client reads: an answer (`result` or `error`) or a notification (`method` and `params`)."""

    jsonrpc: Literal["2.0"]
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: RpcError | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"")


class _Result(Message, frozen=True):
    id: int | str | None
    result: msgspec.Struct
    jsonrpc: str = "2.0"


class _Error(Message, frozen=True):
    id: int | str | None
    error: RpcError
    jsonrpc: str = "2.0"


class _Notification(Message, frozen=True):
    params: msgspec.Struct
    method: str = "event"
    jsonrpc: str = "2.0"


_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(Request)
_responses = msgspec.json.Decoder(Response)


def encode(message: msgspec.Struct) -> bytes:
    """One frame, its newline included."""
    return _encoder.encode(message) + b"\n"


def encode_request(id: int, method: str, params: Params) -> bytes:
    """One request frame."""
    return encode(Request(jsonrpc="2.0", id=id, method=method, params=msgspec.Raw(_encoder.encode(params))))


def encode_result(id: int | str | None, result: msgspec.Struct) -> bytes:
    """One response frame."""
    return encode(_Result(id=id, result=result))


def encode_error(id: int | str | None, code: int, message: str) -> bytes:
    """One error frame."""
    return encode(_Error(id=id, error=RpcError(code=code, message=message)))


def encode_notification(params: msgspec.Struct) -> bytes:
    """One notification frame."""
    return encode(_Notification(params=params))


def decode_request(frame: bytes) -> Request:
    """Raises msgspec.DecodeError for what is not JSON, msgspec.ValidationError (a subclass) for what is no request."""
    return _requests.decode(frame)


def decode_response(frame: bytes) -> Response:
    """Raises msgspec.DecodeError."""
    return _responses.decode(frame)
