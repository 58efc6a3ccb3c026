"""What the daemon and its bridge to a Ray cluster say to each other: JSON lines over the bridge's standard input and
output. Ray knows nothing of it, and the daemon nothing of Ray.
"""

import msgspec

from nasd.protocol import Node


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


# --- to the bridge ----------------------------------------------------------------------------------------------------


class Connect(_Message, frozen=True, tag="connect"):
    """The first one: which cluster."""

    address: str  # auto, local, or HOST:PORT
    cpus: float  # that a local cluster should count


class Open(_Message, frozen=True, tag="open"):
    """Place an actor that has a worker."""

    id: int  # of this worker's life; echoed in every message about it
    command: tuple[str, ...] | None  # None: as usual on its node
    setup: bytes  # the worker's first line; the node puts its own folder in
    cpu: float
    gpu: float
    memory: int | None
    scratch: str | None
    sign: float = 2.0  # seconds between two signs of life of a worker that says nothing else


class Write(_Message, frozen=True, tag="write"):
    """A line for a worker."""

    id: int
    line: bytes


class Close(_Message, frozen=True, tag="close"):
    """End a worker and its actor."""

    id: int


class Push(_Message, frozen=True, tag="push"):
    """Copy a file to a worker's node."""

    id: int
    move: int  # echoed by `Moved`
    source: str
    target: str


class Pull(_Message, frozen=True, tag="pull"):
    """Copy a file or folder from a worker's node, whole or not at all, synced; remove it there where `take`."""

    id: int
    move: int
    source: str
    target: str
    take: bool = False


Request = Connect | Open | Write | Close | Push | Pull


# --- from the bridge --------------------------------------------------------------------------------------------------


class Connected(_Message, frozen=True, tag="connected"):
    """There is a cluster."""

    ray: str  # its version


class Refused(_Message, frozen=True, tag="refused"):
    """There is none, or there is none any more; the bridge ends."""

    reason: str


class Nodes(_Message, frozen=True, tag="nodes"):
    """Every few seconds."""

    nodes: tuple[Node, ...]


class Waits(_Message, frozen=True, tag="waits"):
    """There was no place for a worker; that was its end."""

    id: int
    reason: str


class Opened(_Message, frozen=True, tag="opened"):
    """A worker's process runs."""

    id: int
    node: str
    pid: int
    folder: str  # of its own on its node
    versions: dict[str, str]


class Line(_Message, frozen=True, tag="line"):
    """A worker sent a line."""

    id: int
    line: bytes


class Said(_Message, frozen=True, tag="said"):
    """A worker printed a line."""

    id: int
    text: str


class Ended(_Message, frozen=True, tag="ended"):
    """A worker's process is no more, nor is its actor."""

    id: int
    reason: str
    blame: bool
    fault: str | None = None


class Moved(_Message, frozen=True, tag="moved"):
    """A copy's end."""

    move: int
    error: str | None = None
    missing: bool = False  # there is no such file there
    here: bool = False  # it is the daemon's disk that refused


Report = Connected | Refused | Nodes | Waits | Opened | Line | Said | Ended | Moved

_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(message: Request | Report) -> bytes:
    """One line, without its end."""
    return _encoder.encode(message)


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return _requests.decode(line)


def decode_report(line: bytes) -> Report:
    """Raises msgspec.DecodeError."""
    return _reports.decode(line)
