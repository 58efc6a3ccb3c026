"""The runs of a box, and the frozen configuration of a run."""

from typing import Literal

from nasd.filters import Listing
from nasd.protocol.wire import Message, Params


class RunRow(Message, frozen=True):
    """One run on this box."""

    name: str
    directory: str
    state: Literal["running", "paused", "finished", "stopped", "unreadable"]
    trials: int  # rows in the trial table
    total: int | None  # of counted trials that the search asks for; None: not known
    best_reward: float | None
    modified_at: float
    counted: int = 0  # of the trials, the ones that count towards `total`
    served: bool = False  # a daemon answers; the rest is of such a run
    eta_seconds: float | None = None
    pace: float | None = None  # trials that count, an hour
    problems: tuple[str, ...] = ()


RUN_LISTING: Listing[RunRow] = Listing(
    fields={
        "run": ("text", "the run's name"),
        "state": ("choice", "running, paused, finished, stopped, unreadable"),
        "daemon": ("switch", "yes or no: a daemon runs it"),
        "trials": ("number", "rows in the trial table"),
        "counted": ("number", "trials that advanced the search"),
        "best": ("share", "the best reward, 0.84 or 84%"),
        "eta": ("seconds", "seconds to the end, 30m or 2h"),
        "problems": ("text", "what needs a person"),
    },
    searched="name, directory and problems",
    values=lambda run: {
        "run": run.name,
        "state": run.state,
        "daemon": run.served,
        "trials": run.trials,
        "counted": run.counted,
        "best": run.best_reward,
        "eta": run.eta_seconds,
        "problems": "; ".join(run.problems),
    },
    texts=lambda run: " ".join((run.name, run.directory, *run.problems)),
)
"""What a filter may ask of a run."""


class RunList(Message, frozen=True):
    """Every run under the daemon's home."""

    rows: tuple[RunRow, ...]


class ConfigText(Message, frozen=True):
    """The run's frozen configuration, as YAML."""

    yaml: str
    changed: tuple[str, ...] = ()  # keys whose values are not the defaults of its kinds, such as search.trials


class SetParams(Params, frozen=True):
    """`set`: changes that hold from then on."""

    settings: tuple[str, ...]  # `section.key=value` each, the value written as YAML


class Changes(Message, frozen=True):
    """What became of `set`."""

    lines: tuple[str, ...] = ()  # for each key what it was and what it is; none: the run had these values
