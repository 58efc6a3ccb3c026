"""The job queue: what a person queued, in what order, and how far it got."""

from typing import Any, Literal

from nasd.filters import Listing
from nasd.protocol.wire import Message, Params, Whole

MAX_REPEATS = 1000
MAX_EPOCHS = 10_000
"""Of a job: what is shown of it, its curves included, must fit into a frame."""
MAX_PRIORITY = 1000
FROM_SCRATCH = "from scratch"
"""The label of trainings of what a search came to, in full, which its own accuracies are compared with."""

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


class JobRow(Message, frozen=True):
    """One job of the queue."""

    id: int
    kind: str
    summary: str
    status: JobStatus
    priority: int
    progress: float
    reason: str | None = None
    result: dict[str, Any] | None = None
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    paused: bool = False  # queued, but not to be started
    net: str = ""
    trial: int | None = None
    repeats: int = 1
    epochs: int = 0
    batch: int | None = None  # the first job of those that were queued together
    group: str = ""  # of the selection: low, mid or top
    reward: float | None = None  # of the selection: what the search saw
    label: str = ""  # what it was queued for, such as h2
    full: bool = False  # the encoder is trained too
    device: str | None = None  # of its own; None: it takes turns with the trials


JOB_LISTING: Listing[JobRow] = Listing(
    fields={
        "job": ("number", "the job's number"),
        "status": ("choice", "queued, running, paused, done, failed, cancelled"),
        "kind": ("text", "such as retrain"),
        "trial": ("number", "the trial that it repeats"),
        "prio": ("number", "its priority"),
        "progress": ("share", "how far it is, 0.5 or 50%"),
        "repeats": ("number", "how often it evaluates"),
        "full": ("switch", "yes or no: trained in full"),
        "device": ("text", "a device of its own"),
        "label": ("text", "what it was queued for"),
        "reason": ("text", "why it failed"),
    },
    searched="what it does, architecture and reason",
    values=lambda job: {
        "job": job.id,
        "status": "paused" if job.paused else job.status,
        "kind": job.kind,
        "trial": job.trial,
        "prio": job.priority,
        "progress": job.progress,
        "repeats": job.repeats,
        "full": job.full,
        "device": job.device,
        "label": job.label,
        "reason": job.reason,
    },
    texts=lambda job: f"{job.summary} {job.net} {job.reason or ''}",
)
"""What a filter may ask of a job."""


class JobPage(Message, frozen=True):
    """The queue, in the order in which it is worked off, then the ended jobs, newest first."""

    total: int
    offset: int
    rows: tuple[JobRow, ...]
    notes: tuple[str, ...] = ()  # what trainings from scratch came to, a sentence each


class JobsParams(Params, frozen=True):
    """`jobs`. `where` is a filter of `JOB_LISTING`."""

    offset: Whole = 0
    limit: Whole = 100
    where: str = ""


class Selected(Params, frozen=True):
    """One architecture of a selection."""

    net: str
    trial: Whole | None = None
    group: str = ""  # such as low, mid, top
    reward: float | None = None  # what the search saw


class QueueJobParams(Params, frozen=True):
    """`queue_job`: evaluate an architecture again with freshly drawn weights. Name a `trial`, a `net` or a `selection`.

    A selection is one job for each architecture, all queued or none; the answer is the first.
    """

    kind: Literal["retrain"] = "retrain"
    trial: Whole | None = None
    net: str | None = None
    repeats: Whole = 1
    epochs: Whole | None = None  # None: the run's
    priority: Whole = 0
    selection: tuple[Selected, ...] = ()
    store_embedding: bool = False  # keep each repeat's embedding, in the run's `exports/` folder
    label: str = ""  # what it is for, such as h2
    full: bool = False  # train the encoder too, and keep the weights, in the run's `weights/` folder
    device: str | None = None  # such as cpu or cuda:1: run there, beside the search, instead of between two trials


class JobParams(Params, frozen=True):
    """`cancel_job`."""

    id: Whole


class MoveJobParams(Params, frozen=True):
    """`move_job`: change a queued job's priority (higher runs first); pause a job that waits or runs, or resume it."""

    id: Whole
    priority: Whole | None  # None: as it is
    paused: bool | None = None  # likewise
