"""The box: its workers and their load."""

from typing import Any, Literal

import msgspec

from nasd.protocol.wire import Message, Params, Whole


class WorkerStatus(Message, frozen=True):
    """One worker process and what it is at."""

    id: int
    device: str
    pid: int | None
    state: Literal["starting", "idle", "busy", "gone"]
    trial: int | None = None
    job: int | None = None
    work: str | None = None  # what it thinks out for the strategy, in words
    net: str | None = None
    stage: str | None = None  # of the evaluation: build, encode, train
    epoch: int = 0
    epochs: int = 0
    validation_accuracies: tuple[float, ...] = ()
    train_accuracies: tuple[float, ...] = ()
    facts: dict[str, Any] = msgspec.field(default_factory=dict)  # what else its evaluation shows
    started_at: float | None = None
    memory: int = 0  # resident bytes; 0 where that is not known
    node: str = ""  # that it is on; empty for the daemon's own box
    waits_for: str | None = None  # what it needs and does not get, in words
    passing: bool = False  # it serves jobs with a device of their own, and is no more once it is gone


class Device(Message, frozen=True):
    """Load of one device."""

    name: str
    utilisation: float | None  # 0 to 1
    memory_used: int
    memory_total: int
    temperature: float | None = None  # degrees Celsius
    power: float | None = None  # watts


class Node(Message, frozen=True):
    """One node of a cluster that has workers, as the cluster counts what it has and what of it is taken."""

    name: str
    cpus: float
    cpus_taken: float
    gpus: float
    gpus_taken: float
    memory: int = 0  # bytes


class Machine(Message, frozen=True):
    """Load of the box."""

    cpu: float  # 0 to 1
    memory_used: int
    memory_total: int
    disk_run: int  # bytes of the run directory
    disk_free: int
    devices: tuple[Device, ...] = ()
    nodes: tuple[Node, ...] = ()  # of the cluster, where the workers are on one


class DeviceHistory(Message, frozen=True):
    """Of one device, at the times of the history; None: not known then."""

    name: str
    utilisation: tuple[float | None, ...]
    memory: tuple[float | None, ...]  # bytes
    temperature: tuple[float | None, ...]
    power: tuple[float | None, ...]


class MachineHistory(Message, frozen=True):
    """The load of the last day, as far as this daemon saw it."""

    times: tuple[float, ...]
    trials_per_hour: tuple[float, ...]
    cpu: tuple[float | None, ...]
    memory: tuple[float | None, ...]  # bytes
    devices: tuple[DeviceHistory, ...]


class MachineParams(Params, frozen=True):
    """`machine`."""

    points: Whole = 240
