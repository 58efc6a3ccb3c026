"""Trials: rows of the trial table, and everything about a single trial."""

from typing import Any, Literal

import msgspec

from nasd.graph import Graph
from nasd.outcome import Labels, RungScores
from nasd.protocol.wire import Message, Params, Whole

TrialStatus = Literal["evaluated", "early_stopped", "duplicate", "infeasible", "failed"]
TrialSort = Literal[
    "number", "reward", "best_validation", "test_accuracy", "layers", "parameters", "embedding_dim", "seconds",
    "finished_at",
]  # fmt: skip


class TrialRow(Message, frozen=True):
    """One line of the trial table."""

    number: int
    net: str
    status: TrialStatus
    stage: str  # which part of the search it belongs to, as a stage of the progress is labelled
    reward: float
    counted: bool  # whether it advanced the search
    facts: dict[str, Any] = msgspec.field(default_factory=dict)  # what the strategy wants to show of it
    best_validation: float | None = None
    test_accuracy: float | None = None
    duplicate_of: int | None = None
    reason: str | None = None
    imported: bool = False
    seconds: float = 0.0
    finished_at: float = 0.0  # seconds since the epoch
    embedding: str | None = None
    proposed: int = 1  # how often, where each architecture is listed once
    star: bool = False
    note: str = ""
    embedding_dim: int | None = None
    device: str = ""
    layers: int | None = None  # these two where they were asked for; None: the space does not have the architecture
    parameters: int | None = None


class TrialDetail(Message, frozen=True):
    """Everything about one trial."""

    row: TrialRow
    seed: int | None
    validation_accuracies: tuple[float, ...]  # one per epoch
    train_accuracies: tuple[float, ...]
    embedding_dim: int | None
    micro_batch: int | None
    encode_seconds: float
    train_seconds: float
    peak_memory: int  # bytes
    device: str
    graph: Graph
    duplicates: tuple[int, ...]  # later trials of the same architecture, the first 20
    repeats: int = 0  # how many of them there are
    screening: float | None = None  # accuracy of the quick look before the evaluation
    rank: int | None = None  # of its architecture by reward, 1 is the best; None: it was not evaluated
    ranked: int = 0  # architectures that were
    labels: Labels | None = None  # of a data set of several labels per image
    rungs: RungScores | None = None  # accuracies on the first images, before all of them were encoded


class TrialPage(Message, frozen=True):
    """A page of the trial table."""

    total: int  # rows that match
    offset: int
    rows: tuple[TrialRow, ...]


class TrialsParams(Params, frozen=True):
    """`trials`. `text` is looked for in the architecture string, the status and the reason, case-insensitively; `where`
    is a filter as `nasd.filters` reads it.
    """

    offset: Whole = 0
    limit: Whole = 100
    sort: TrialSort = "number"
    descending: bool = True
    text: str = ""
    status: tuple[TrialStatus, ...] = ()  # empty: all
    where: str = ""
    distinct: bool = False  # each architecture once
    sizes: bool = False  # tell layers and parameters


class TrialParams(Params, frozen=True):
    """`trial`."""

    number: Whole


class MarkParams(Params, frozen=True):
    """`mark`: star a trial or note something on it; kept in the run."""

    number: Whole
    star: bool | None = None  # None: as it is; likewise
    note: str | None = None


class ExportParams(Params, frozen=True):
    """`export`: write a table as CSV into the run's `exports/` folder; the daemon names the file."""

    what: str = "replay_buffer"  # a table that the run has: another is refused
