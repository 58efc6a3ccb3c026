"""The records a run is made of. Plain data; nothing here touches a file."""

from dataclasses import dataclass, field
from typing import Any, Literal

StateTuple = tuple[str, int, int, int, int, int, int, int, int]
"""layer_type, layer_depth, filter_depth, filter_size, stride, padding, image_size, fc_size, terminate (0 or 1)."""

TrialStatus = Literal["evaluated", "early_stopped", "duplicate", "infeasible", "failed"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One proposal and what came of it. The first block is a pure function of (config, seed); `seconds` and what
    follows it is measured and differs from run to run.
    """

    number: int  # from 1, in proposal order
    order: int  # from 1, in the order of observation; equal to number unless the run is `async`
    net: str  # the architecture's string
    status: TrialStatus
    epsilon: float
    reward: float
    counted: bool  # whether it advanced the epsilon schedule
    duplicate_of: int | None = None
    reason: str | None = None  # of an infeasible or failed one
    seed: int | None = None  # of the evaluation
    validation_accuracies: tuple[float, ...] = ()
    train_accuracies: tuple[float, ...] = ()
    test_accuracy: float | None = None
    metrics: dict[str, Any] | None = None  # what else was measured, as plain JSON values
    embedding_dim: int | None = None
    micro_batch: int | None = None
    imported: bool = False  # came from a CSV of another search
    # measured
    finished_at: float = 0.0  # seconds since the epoch
    seconds: float = 0.0
    encode_seconds: float = 0.0
    train_seconds: float = 0.0
    peak_memory: int = 0
    device: str = ""
    embedding: str | None = None  # its folder's name under embeddings/, while it is kept

    @property
    def best_validation(self) -> float | None:
        """The highest validation accuracy of any epoch."""
        return max(self.validation_accuracies, default=None)


@dataclass(frozen=True, slots=True)
class QUpdate:
    """What one trial changed in the Q-table. States and transitions are numbered from 0, gapless, in order."""

    path: tuple[int, ...]  # the trial's architecture as transition numbers: its replay row
    states: tuple[StateTuple, ...] = ()
    transitions: tuple[tuple[int, int], ...] = ()
    q_ids: tuple[int, ...] = ()
    q_values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A proposal that has been made and not yet observed."""

    number: int
    net: str
    epsilon: float
    kind: Literal["evaluate", "duplicate", "infeasible"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work a person queued. `params` and `result` are JSON-able."""

    id: int  # 0 asks the store to number it
    kind: str
    params: dict[str, Any]
    status: JobStatus = "queued"
    priority: int = 0  # higher first, then by id
    progress: float = 0.0  # 0 to 1
    result: dict[str, Any] | None = None
    reason: str | None = None  # of a failed one
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One transaction: everything that changes together, or not at all."""

    trial: Trial | None = None
    update: QUpdate | None = None  # with `trial`
    position: dict[str, Any] | None = None  # the strategy's small state after all of this
    opened: tuple[OpenProposal, ...] = ()  # proposals made; the trial's own proposal is closed by its row
    jobs: tuple[Job, ...] = ()  # inserted or replaced
    dropped_embeddings: tuple[int, ...] = ()  # trial numbers whose embedding goes; its folder is removed afterwards
    flags: dict[str, Any] = field(default_factory=dict)  # e.g. {"paused": true}
    arrived: dict[int, str] = field(default_factory=dict)  # outcomes, as JSON, of open proposals whose turn is to come


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything needed to go on, as the last transaction left it."""

    trials: int  # how many rows
    position: dict[str, Any] | None  # None: nothing was ever proposed
    states: list[StateTuple]
    transitions: list[tuple[int, int]]
    q_values: list[float]  # one per transition
    paths: list[tuple[int, ...]]  # the replay buffer, in the order of observation
    rewards: list[float]
    numbers: list[int]  # trial number of each row
    open: list[OpenProposal]
    jobs: list[Job]
    flags: dict[str, Any]
    arrived: dict[int, str]
