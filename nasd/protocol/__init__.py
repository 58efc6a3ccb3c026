"""The messages between a daemon and its clients, and their version.

Newline-delimited JSON-RPC 2.0 over a Unix socket. One frame is one line of at most `MAX_FRAME` bytes. A client's first
request is `hello`; nothing else is answered before it. `subscribe` answers with a `Snapshot` and then sends `event`
notifications whose `seq` counts on from the snapshot's without a gap; a client that sees a gap subscribes again.

Torch-free and cheap to import: this is all that the terminal UI shares with the daemon.
"""

from typing import Annotated, Any, Literal

import msgspec

from nasd.outcome import Labels

PROTOCOL = 1
"""Raised whenever an older peer could misread a message. Independent of the package's version."""

MAX_FRAME = 1 << 20
MAX_PAGE = 500
"""Rows that one page of a list holds at most."""
MAX_REPEATS = 1000
MAX_EPOCHS = 10_000
"""Of a job: what is shown of it, its curves included, must fit into a frame."""
MAX_PRIORITY = 1000


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


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen, keyword-only. Unknown fields are ignored, so that a newer peer may add some."""


class Params(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends. A misspelt parameter is an error."""


# --- envelopes ---------------------------------------------------------------------------------------------------


class Request(_Message, frozen=True):
    """What a client sends."""

    jsonrpc: Literal["2.0"]
    method: str
    id: int | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class RpcError(_Message, frozen=True):
    """Why a request was not fulfilled, in a sentence for a person."""

    code: int
    message: str


class Response(_Message, frozen=True):
    """What a client reads: an answer (`result` or `error`) or a notification (`method` and `params`)."""

    jsonrpc: Literal["2.0"]
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: RpcError | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"")


class _Result(_Message, frozen=True):
    id: int | str | None
    result: msgspec.Struct
    jsonrpc: str = "2.0"


class _Error(_Message, frozen=True):
    id: int | str | None
    error: RpcError
    jsonrpc: str = "2.0"


class _Notification(_Message, frozen=True):
    params: msgspec.Struct
    method: str = "event"
    jsonrpc: str = "2.0"


# --- what a search is ----------------------------------------------------------------------------------------------

RunState = Literal["starting", "running", "pausing", "paused", "finished", "stopping", "failed"]
TrialStatus = Literal["evaluated", "early_stopped", "duplicate", "infeasible", "failed"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
LogLevel = Literal["debug", "info", "warning", "error"]
TrialSort = Literal["number", "reward", "best_validation", "test_accuracy", "seconds", "finished_at"]


class TrialRow(_Message, frozen=True):
    """One line of the trial table."""

    number: int
    net: str
    status: TrialStatus
    epsilon: float
    reward: float
    counted: bool
    best_validation: float | None = None
    test_accuracy: float | None = None
    duplicate_of: int | None = None
    reason: str | None = None
    imported: bool = False
    seconds: float = 0.0
    finished_at: float = 0.0  # seconds since the epoch
    embedding: str | None = None


class Layer(_Message, frozen=True):
    """One layer of an architecture, for drawing it."""

    kind: str  # conv, wrn, max_pool, spp, fc, classifier
    text: str  # as written in the architecture string
    features: int  # output channels or units
    image_size: int  # output side; 1 for fc and the classifier
    parameters: int


class Neighbour(_Message, frozen=True):
    """One step of an architecture in the Q-table, and how it stands among its alternatives."""

    action: str  # as written in the architecture string
    q: float
    tried: int
    rank: int  # 1 is the best among the actions of its state
    alternatives: int
    best_action: str
    best_q: float


class TrialDetail(_Message, frozen=True):
    """Everything about one trial."""

    row: TrialRow
    seed: int | None
    validation_accuracies: tuple[float, ...]
    train_accuracies: tuple[float, ...]
    embedding_dim: int | None
    micro_batch: int | None
    encode_seconds: float
    train_seconds: float
    peak_memory: int  # bytes
    device: str
    layers: tuple[Layer, ...]
    neighbours: tuple[Neighbour, ...]
    duplicates: tuple[int, ...]  # later trials of the same architecture, at most 20
    screening: float | None = None  # accuracy of the quick look before the evaluation
    labels: Labels | None = None  # of a data set of several labels per image


class Phase(_Message, frozen=True):
    """One phase of the epsilon schedule and the rewards seen in it (of trials that counted)."""

    epsilon: float
    count: int  # trials with reward > 0 that it asks for
    done: int
    first_trial: int | None = None
    mean: float | None = None
    quartiles: tuple[float, float, float, float, float] | None = None  # min, 25 %, median, 75 %, max
    histogram: tuple[int, ...] = ()  # 20 equal bins over [0, 1]


class Progress(_Message, frozen=True):
    """Where the search is."""

    trials: int  # rows in the trial table
    counted: int  # of them with reward > 0: the position in the epsilon schedule
    total: int  # what the schedule asks for
    epsilon: float
    phase: int  # index into the schedule
    phase_done: int
    phase_total: int
    by_status: dict[str, int]
    rolling_reward: float | None  # mean of the last 20 rewards
    eta_seconds: float | None = None  # median
    eta_low: float | None = None  # the 10th and 90th percentile
    eta_high: float | None = None


class WorkerStatus(_Message, frozen=True):
    """One worker process and what it is at."""

    id: int
    device: str
    pid: int | None
    state: Literal["starting", "idle", "busy", "gone"]
    trial: int | None = None
    job: int | None = None
    net: str | None = None
    stage: str | None = None  # build, encode, train
    epoch: int = 0
    epochs: int = 0
    validation_accuracies: tuple[float, ...] = ()
    train_accuracies: tuple[float, ...] = ()
    started_at: float | None = None
    memory: int = 0  # resident bytes
    passing: bool = False  # it serves jobs with a device of their own, and is no more once it is gone


class Device(_Message, frozen=True):
    """Load of one device."""

    name: str
    utilisation: float | None  # 0 to 1
    memory_used: int
    memory_total: int


class Machine(_Message, frozen=True):
    """Load of the box."""

    cpu: float  # 0 to 1
    memory_used: int
    memory_total: int
    disk_run: int  # bytes of the run directory
    disk_free: int
    devices: tuple[Device, ...] = ()


class Status(_Message, frozen=True):
    """The first page: what `nasd status` prints and what a snapshot carries."""

    name: str
    directory: str
    pid: int
    version: str
    state: RunState
    activity: str  # what the daemon is doing right now, in words
    progress: Progress
    best: tuple[TrialRow, ...]  # the best architectures so far, at most five, each once
    recent: tuple[TrialRow, ...]  # the newest trials, at most ten, newest first
    workers: tuple[WorkerStatus, ...]
    machine: Machine | None
    problems: tuple[str, ...]  # errors that need a person
    started_at: float  # of this daemon
    created_at: float  # of the run
    time: float  # the daemon's clock when this was made
    dataset: str = ""
    jobs_queued: int = 0


class RewardPoint(_Message, frozen=True):
    """One point of the rolling reward plot."""

    trial: int
    mean: float  # of the window that ends here
    reward: float


class Rewards(_Message, frozen=True):
    """The rolling reward of the trials that counted, thinned by the daemon to the points asked for."""

    window: int
    points: tuple[RewardPoint, ...]
    phases: tuple[Phase, ...]


class TrialPage(_Message, frozen=True):
    """A page of the trial table."""

    total: int  # rows that match
    offset: int
    rows: tuple[TrialRow, ...]


class Action(_Message, frozen=True):
    """One action of a state."""

    text: str
    q: float
    tried: int  # trials that took it
    greedy: bool  # among the best
    terminal: bool


class QPage(_Message, frozen=True):
    """A state and its actions, best first."""

    path: tuple[str, ...]  # the layers that lead here from the start
    image_size: int
    depth: int
    actions: tuple[Action, ...]
    total: int
    offset: int
    greedy_path: tuple[str, ...]  # from here to the end


class JobRow(_Message, frozen=True):
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


class JobPage(_Message, frozen=True):
    """The queue, in the order in which it is worked off, then the ended jobs, newest first."""

    total: int
    offset: int
    rows: tuple[JobRow, ...]


class LogRecord(_Message, frozen=True):
    """One record of the daemon's log."""

    id: int  # counts up while the daemon lives
    time: float
    level: LogLevel
    source: str
    message: str


class LogPage(_Message, frozen=True):
    """Records, oldest first."""

    rows: tuple[LogRecord, ...]
    first: int  # the oldest id that the daemon still holds


class RunRow(_Message, frozen=True):
    """One run on this box."""

    name: str
    directory: str
    state: Literal["running", "paused", "finished", "stopped", "unreadable"]
    trials: int  # rows in the trial table
    total: int  # what the schedule asks for
    best_reward: float | None
    modified_at: float
    counted: int = 0  # of the trials, those that count towards `total`


class RunList(_Message, frozen=True):
    """Every run under the daemon's home."""

    rows: tuple[RunRow, ...]


class Done(_Message, frozen=True):
    """A request was carried out; `message` says what happened, for a person."""

    message: str


# --- what a client asks ---------------------------------------------------------------------------------------------


class HelloParams(Params, frozen=True):
    """`hello`: the first request of every connection."""

    protocol: Whole
    client: str = ""


class Hello(_Message, frozen=True):
    """The daemon's answer to `hello`."""

    protocol: int
    version: str
    name: str
    directory: str
    pid: int


class Empty(Params, frozen=True):
    """`status`, `subscribe`, `runs`, `pause`, `resume`, `stop`, `checkpoint`, `config` take nothing."""


class TrialsParams(Params, frozen=True):
    """`trials`. `text` is looked for in the architecture string, the status and the reason, case-insensitively."""

    offset: Whole = 0
    limit: Whole = 100
    sort: TrialSort = "number"
    descending: bool = True
    text: str = ""
    status: tuple[TrialStatus, ...] = ()  # empty: all


class TrialParams(Params, frozen=True):
    """`trial`."""

    number: Whole


class RewardsParams(Params, frozen=True):
    """`rewards`."""

    points: Whole = 400


class QParams(Params, frozen=True):
    """`q`: the layers from the start, as `Action.text` gives them."""

    path: tuple[str, ...] = ()
    offset: Whole = 0
    limit: Whole = 100


class JobsParams(Params, frozen=True):
    """`jobs`."""

    offset: Whole = 0
    limit: Whole = 100


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


class LogParams(Params, frozen=True):
    """`log`: the newest `limit` records below id `before` (None: the newest of all) that match."""

    before: Whole | None = None
    limit: Whole = 200
    level: LogLevel = "debug"  # and above
    text: str = ""


class ExportParams(Params, frozen=True):
    """`export`: write CSV files with the published columns into the run's `exports/` folder; the daemon names them."""

    what: Literal["replay_buffer", "q_values"] = "replay_buffer"


class Config(_Message, frozen=True):
    """The run's frozen configuration, as YAML."""

    yaml: str


METHODS: dict[str, tuple[type[Params], type[_Message]]] = {
    "hello": (HelloParams, Hello),
    "status": (Empty, Status),
    "subscribe": (Empty, None),  # type: ignore[dict-item] # Snapshot, below
    "rewards": (RewardsParams, Rewards),
    "trials": (TrialsParams, TrialPage),
    "trial": (TrialParams, TrialDetail),
    "q": (QParams, QPage),
    "jobs": (JobsParams, JobPage),
    "queue_job": (QueueJobParams, JobRow),
    "cancel_job": (JobParams, JobRow),
    "move_job": (MoveJobParams, JobRow),
    "log": (LogParams, LogPage),
    "runs": (Empty, RunList),
    "config": (Empty, Config),
    "pause": (Empty, Done),
    "resume": (Empty, Done),
    "stop": (Empty, Done),
    "checkpoint": (Empty, Done),
    "export": (ExportParams, Done),
}


# --- what a subscriber hears ----------------------------------------------------------------------------------------


class _Event(_Message, frozen=True, kw_only=True, tag_field="type"):
    seq: int
    time: float


class TrialFinished(_Event, frozen=True, tag="trial_finished"):
    """A trial was committed."""

    row: TrialRow
    progress: Progress
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


Event = TrialFinished | WorkerChanged | StateChanged | JobChanged | Logged | MachineLoad


class Snapshot(_Message, frozen=True):
    """The answer to `subscribe`; the next event has `seq + 1`."""

    seq: int
    status: Status


METHODS["subscribe"] = (Empty, Snapshot)

# --- encoding -------------------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
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


def encode_event(event: Event) -> bytes:
    """One notification frame."""
    return encode(_Notification(params=event))


def decode_request(frame: bytes) -> Request:
    """Raises msgspec.DecodeError for what is not JSON, msgspec.ValidationError (a subclass) for what is no request."""
    return _requests.decode(frame)


def decode_response(frame: bytes) -> Response:
    """Raises msgspec.DecodeError."""
    return _responses.decode(frame)


def decode_event(params: msgspec.Raw) -> Event:
    """Raises msgspec.DecodeError; of an unknown event type too, which a client should skip."""
    return _events.decode(params)
