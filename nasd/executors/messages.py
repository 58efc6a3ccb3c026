"""What the daemon and a worker say to each other: JSON lines over the worker's standard input and output."""

import msgspec

from nasd.evaluators import base
from nasd.evaluators.base import Answer
from nasd.evaluators.orders import Order
from nasd.executors.work import Setup
from nasd.outcome import Evaluated, Failed


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Evaluate(_Message, frozen=True, tag="evaluate"):
    """Carry an order out."""

    id: int  # of the task; echoed in every message about it
    order: Order


Request = Setup | Evaluate
"""`Setup` is the first one."""


class Ready(_Message, frozen=True, tag="ready"):
    """Set up and idle."""


class SetupFailed(_Message, frozen=True, tag="setup_failed"):
    """This worker cannot work: a missing data set, a device that is not there."""

    reason: str


class Alive(_Message, frozen=True, tag="alive"):
    """Every two seconds, from a thread of its own: the process is scheduled and its interpreter runs."""


class Step(_Message, frozen=True, tag="step"):
    """The task got on."""

    id: int
    step: base.Step


class Ended(_Message, frozen=True, tag="ended"):
    """A task's end."""

    id: int
    result: Evaluated | Failed | Answer
    files: dict[str, str] = {}  # paths by name
    leaving: bool = False  # the process ends itself: an exception may have left its device unusable
    fault: str | None = None  # what the box lacked, in words: `result` says nothing then


Report = Ready | SetupFailed | Alive | Step | Ended

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
