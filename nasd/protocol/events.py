"""What a subscriber hears."""

import msgspec

from nasd.protocol.jobs import JobRow
from nasd.protocol.log import LogRecord
from nasd.protocol.machine import Machine, WorkerStatus
from nasd.protocol.search import RunState, SearchProgress, Status
from nasd.protocol.trials import TrialRow
from nasd.protocol.wire import Message, encode_notification


class _Event(Message, frozen=True, kw_only=True, tag_field="type"):
    seq: int
    time: float


class TrialFinished(_Event, frozen=True, tag="trial_finished"):
    """A trial was committed."""

    row: TrialRow
    progress: SearchProgress
    best: tuple[TrialRow, ...]


class WorkerChanged(_Event, frozen=True, tag="worker"):
    """A worker started or ended something, or finished an epoch."""

    worker: WorkerStatus


class StateChanged(_Event, frozen=True, tag="state"):
    """The run's state, what the daemon is doing, or its problems changed."""

    state: RunState
    activity: str
    problems: tuple[str, ...]


class JobChanged(_Event, frozen=True, tag="job"):
    """A job was queued, moved, advanced or ended."""

    job: JobRow
    queued: int


class Logged(_Event, frozen=True, tag="log"):
    """A log record of level info or above."""

    record: LogRecord


class MachineLoad(_Event, frozen=True, tag="machine"):
    """The box's load; every two seconds while anyone is subscribed: also the heartbeat."""

    machine: Machine


class StatusRenewed(_Event, frozen=True, tag="status"):
    """More is known of the run than the snapshot had: a reader of files has read them all."""

    status: Status


Event = TrialFinished | WorkerChanged | StateChanged | JobChanged | Logged | MachineLoad | StatusRenewed

_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """One notification frame."""
    return encode_notification(event)


def decode_event(params: msgspec.Raw) -> Event:
    """Raises msgspec.DecodeError; of an unknown event type too, which a client should skip."""
    return _events.decode(params)
