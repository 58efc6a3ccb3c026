"""Where a search is: its progress and its rewards, by the stages that its strategy divides it into."""

from typing import Literal

from nasd.protocol.machine import Machine, WorkerStatus
from nasd.protocol.trials import TrialRow
from nasd.protocol.wire import Message, Params, Whole

RunState = Literal["starting", "running", "pausing", "paused", "finished", "stopping", "failed", "stopped"]
"""`stopped`: no daemon runs it, only its files are read."""


class StageProgress(Message, frozen=True):
    """One part of a search (a phase of a schedule, a level) and how far it got."""

    label: str
    done: int  # trials that counted
    of: int | None  # how many it asks for; None: not known yet


class SearchProgress(Message, frozen=True):
    """Where the search is."""

    trials: int  # rows in the trial table
    counted: int  # of them, the trials that advanced the search
    total: int | None  # how many of these the search asks for; None: not known yet
    stage: int  # index of the current one; 0 if there are none
    stages: tuple[StageProgress, ...]
    by_status: dict[str, int]
    rolling_reward: float | None  # mean of the last 20 rewards
    eta_seconds: float | None = None  # median
    eta_low: float | None = None  # the 10th and 90th percentile
    eta_high: float | None = None
    notes: tuple[str, ...] = ()  # what only this strategy has to say, a sentence each


class Status(Message, frozen=True):
    """The first page: what `nasd status` prints and what a snapshot carries."""

    name: str
    directory: str
    pid: int
    version: str
    strategy: str  # as the config names it; whose own methods the daemon answers
    space: str  # as the config names it
    state: RunState
    activity: str  # what the daemon is doing right now, in words
    progress: SearchProgress
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
    read_only: bool = False  # no daemon: this is read from the run's files, and nothing can be done to it


class Snapshot(Message, frozen=True):
    """The answer to `subscribe`; the next event has `seq + 1`."""

    seq: int
    status: Status


class RewardPoint(Message, frozen=True):
    """One point of the rolling reward plot."""

    trial: int
    mean: float  # of the window that ends here
    reward: float


class StageRewards(Message, frozen=True):
    """One stage and the rewards seen in it (of trials that counted)."""

    label: str
    done: int
    of: int | None
    first_trial: int | None = None
    mean: float | None = None
    quartiles: tuple[float, float, float, float, float] | None = None  # min, 25 %, median, 75 %, max
    histogram: tuple[int, ...] = ()  # 20 equal bins over [0, 1]


class Rewards(Message, frozen=True):
    """The rolling reward of the trials that counted, thinned by the daemon to the points asked for."""

    window: int
    points: tuple[RewardPoint, ...]
    stages: tuple[StageRewards, ...]


class RewardsParams(Params, frozen=True):
    """`rewards`."""

    points: Whole = 400
