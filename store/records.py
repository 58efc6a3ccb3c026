"""The records a run is made of. Plain data; nothing here touches a file."""

from dataclasses import dataclass, field
from typing import Any, Literal

TrialStatus = Literal["evaluated", "early_stopped", "duplicate", "infeasible", "failed"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One proposal and what came of it. The first block is a pure function of (config, seed); `finished_at` and what
    follows it is measured and differs from run to run.
    """

    number: int  # from 1, in proposal order
    order: int  # from 1, in the order of observation; equal to number unless the run is `async`
    net: str  # the architecture's string
    status: TrialStatus
    reward: float
    counted: bool  # whether it advanced the search
    stage: str = ""  # which part of the search it belongs to, in its strategy's words
    facts: dict[str, Any] = field(default_factory=dict)  # what its strategy wants to show of it; plain JSON values
    duplicate_of: int | None = None
    reason: str | None = None  # of an infeasible or failed one, and of one that was stopped with an estimate
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
class LearnedFile:
    """A file of the run that a payload refers to. It is never changed; its name is never used again."""

    name: str
    sha256: str  # hexadecimal


@dataclass(frozen=True, slots=True)
class Learned:
    """What a strategy has to read again to go on, in a form that it alone understands."""

    payload: bytes
    files: tuple[LearnedFile, ...] = ()  # those that come with it; each is named by one payload only


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of something learned: an observed trial and what was learned of it, or thinking without a trial."""

    trial: Trial | None
    learned: Learned | None


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A proposal that has been made and not yet observed."""

    number: int
    net: str
    kind: Literal["evaluate", "duplicate", "infeasible"]
    reason: str | None = None
    stage: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


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
    learned: Learned | None = None  # of `trial`, or without one: something was thought out
    position: dict[str, Any] | None = None  # the strategy's small state after all of this
    opened: tuple[OpenProposal, ...] = ()  # proposals made; the trial's own proposal is closed by its row
    jobs: tuple[Job, ...] = ()  # inserted or replaced
    dropped_embeddings: tuple[int, ...] = ()  # trial numbers whose embedding goes; its folder is removed afterwards
    dropped_files: tuple[str, ...] = ()  # names of learned files that nobody needs any more; removed afterwards
    flags: dict[str, Any] = field(default_factory=dict)  # e.g. {"paused": true}
    arrived: dict[int, str] = field(default_factory=dict)  # outcomes, as JSON, of open proposals whose turn is to come


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything needed to go on besides what was learned, as the last transaction left it."""

    trials: int  # how many rows
    learned: int  # the newest payload, as `Run.steps` takes it; 0: there is none
    position: dict[str, Any] | None  # None: nothing was ever proposed
    open: list[OpenProposal]
    jobs: list[Job]
    flags: dict[str, Any]
    arrived: dict[int, str]
