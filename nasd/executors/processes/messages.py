"""What the daemon and a worker say to each other: JSON lines over the worker's standard input and output."""

import msgspec

from nasd.outcome import Outcome


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Setup(_Message, frozen=True, tag="setup"):
    """The first message: all that stays the same for every task of this worker."""

    config: str  # the run's YAML
    device: str
    threads: int
    staging: str  # folder for embeddings that are to be kept
    memory_limit: int | None


class Evaluate(_Message, frozen=True, tag="evaluate"):
    """Evaluate one architecture."""

    id: int  # of the task; echoed in every message about it
    net: str
    seed: int
    epochs: int | None = None  # None: the run's
    keep_above: float | None = None  # stage the embedding if the reward is higher; None: never
    screen_floor: float | None = None  # quick score below which the evaluation ends; None: it does not
    staging: str | None = None  # folder to stage it in; None: the setup's
    full: bool = False  # train all of it; else as the run's config says
    weights: str | None = None  # path with which the names of a full training's files begin; None: none is written
    keep_weights: bool = False  # not only the checkpoint


Order = Setup | Evaluate


class Ready(_Message, frozen=True, tag="ready"):
    """Set up and idle."""


class SetupFailed(_Message, frozen=True, tag="setup_failed"):
    """This worker cannot work: a missing data set, a device that is not there."""

    reason: str


class Alive(_Message, frozen=True, tag="alive"):
    """Every two seconds, from a thread of its own: the process is scheduled and its interpreter runs."""


class Step(_Message, frozen=True, tag="step"):
    """A stage began (epoch 0) or an epoch ended."""

    id: int
    stage: str
    epoch: int = 0
    epochs: int = 0
    train_accuracy: float | None = None
    validation_accuracy: float | None = None


class Finished(_Message, frozen=True, tag="finished"):
    """A task's end."""

    id: int
    outcome: Outcome
    staged: str | None = None  # temporary folder of the embedding
    leaving: bool = False  # the process ends itself: an exception may have left its device unusable


Report = Ready | SetupFailed | Alive | Step | Finished

_encoder = msgspec.json.Encoder()
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(message: Order | Report) -> bytes:
    """One line, without its end."""
    return _encoder.encode(message)


def decode_order(line: bytes) -> Order:
    """Raises msgspec.DecodeError."""
    return _orders.decode(line)


def decode_report(line: bytes) -> Report:
    """Raises msgspec.DecodeError."""
    return _reports.decode(line)
