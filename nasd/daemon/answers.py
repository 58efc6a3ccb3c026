"""What the daemon answers to its clients: a function for each method that every run has, and the table of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from nasd import config as configuration
from nasd import filters, paths, protocol
from nasd.config import Config
from nasd.daemon import views
from nasd.daemon.history import History
from nasd.daemon.load_history import LoadHistory
from nasd.daemon.methods import Handler, Methods
from nasd.errors import NasdError
from nasd.protocol import Message
from nasd.rooms import View
from nasd.runs import changes, filtering
from nasd.runs.overview import run_row
from nasd.spaces.base import Space
from nasd.strategies.base import Progress
from store import Run

if TYPE_CHECKING:
    from nasd.daemon.daemon import Daemon
    from nasd.daemon.insight import Insights

Answer = Callable[["Daemon", Any], Message | Awaitable[Message]]


class _Journal(Protocol):
    def page(self, params: protocol.LogParams) -> protocol.LogPage: ...


class _Jobs(Protocol):
    def page(self, params: protocol.JobsParams) -> protocol.JobPage: ...


class Shown(Protocol):
    """What is read of a run, whether a daemon runs it or only its files are there."""

    run: Run
    config: Config
    history: History
    load: LoadHistory

    @property
    def space(self) -> Space[Any]:
        """Of the architectures."""
        ...

    @property
    def insights(self) -> "Insights":
        """What the search has learned."""
        ...

    @property
    def journal(self) -> _Journal:
        """The log."""
        ...

    @property
    def jobs(self) -> _Jobs:
        """The queue."""
        ...

    def status(self) -> protocol.Status:
        """The first page."""
        ...

    def progress(self) -> Progress:
        """Where the search is."""
        ...


def table(daemon: "Daemon", views: Mapping[str, View]) -> Methods:
    """What a daemon answers.

    Args:
        daemon: Who answers.
        views: What only the run's strategy can show, by method.
    """
    handlers: dict[str, Handler] = {name: partial(answer, daemon) for name, answer in ANSWERS.items()}
    handlers |= {name: _of_strategy(view, daemon) for name, view in views.items()}
    return Methods(daemon.config.search.strategy, handlers)


def _of_strategy(view: View, daemon: "Daemon") -> Handler:
    def handle(params: Any) -> Message:
        return view(daemon.strategy, daemon.space, params)

    return handle


def _status(shown: Shown, _: protocol.Empty) -> protocol.Status:
    return shown.status()


def _subscribe(daemon: "Daemon", _: protocol.Empty) -> protocol.Snapshot:
    return protocol.Snapshot(seq=daemon.broadcast.seq, status=daemon.status())


def _rewards(shown: Shown, params: protocol.RewardsParams) -> protocol.Rewards:
    return shown.history.rewards(params.points, shown.progress())


def _machine(shown: Shown, params: protocol.MachineParams) -> protocol.MachineHistory:
    return shown.load.answer(params.points)


async def _insight(shown: Shown, params: protocol.InsightParams) -> protocol.Insight:
    return await shown.insights.answer(params.points, shown.history.rewards(2, shown.progress()).stages)


async def _trials(shown: Shown, params: protocol.TrialsParams) -> protocol.TrialPage:
    where = filters.parse(params.where)
    if filters.needs_sizes(where) or params.sort in ("layers", "parameters"):  # seconds, for a long run, the first time
        await asyncio.to_thread(shown.run.know_sizes, filtering.size_of(shown.space))
    page = views.trial_page(shown.run, params, where)
    if params.sizes:
        page = await asyncio.to_thread(views.with_sizes, page, filtering.size_of(shown.space))
    return page


def _mark(daemon: "Daemon", params: protocol.MarkParams) -> protocol.TrialRow:
    delta, row = views.marked(daemon.run, params)
    daemon.run.commit(delta)
    return row


def _trial(shown: Shown, params: protocol.TrialParams) -> protocol.TrialDetail:
    return views.trial_detail(shown.run, shown.space, params.number)


def _jobs(shown: Shown, params: protocol.JobsParams) -> protocol.JobPage:
    return shown.jobs.page(params)


async def _queue_job(daemon: "Daemon", params: protocol.QueueJobParams) -> protocol.JobRow:
    if daemon.config.evaluation.kind != "deep_prior":  # there is nothing else to do with an architecture here
        params = msgspec.structs.replace(params, full=True)
    if params.device is not None:
        from nasd.box.devices import find_device  # noqa: PLC0415 - a reader of files never asks

        device = await asyncio.to_thread(find_device, params.device)  # a GPU's driver may hang
        params = msgspec.structs.replace(params, device=device)
    chosen = views.chosen(daemon.run, daemon.space, params, daemon.jobs.planner(full=params.full))
    return daemon.jobs.queue(params, chosen)


def _cancel_job(daemon: "Daemon", params: protocol.JobParams) -> protocol.JobRow:
    return daemon.jobs.cancel(params.id)


def _move_job(daemon: "Daemon", params: protocol.MoveJobParams) -> protocol.JobRow:
    return daemon.jobs.move(params)


def _log(shown: Shown, params: protocol.LogParams) -> protocol.LogPage:
    return shown.journal.page(params)


def _runs(shown: Shown, _: protocol.Empty) -> protocol.RunList:
    return protocol.RunList(rows=tuple(run_row(path) for path in paths.runs(shown.run.path.parent)))


def _config(shown: Shown, _: protocol.Empty) -> protocol.ConfigText:
    # Not the file's own text, in which an earlier version wrote several keys on a line: each may be marked.
    text = configuration.dump(changes.config_of(shown.run))
    return protocol.ConfigText(yaml=text, changed=configuration.changed(shown.config))


async def _set(daemon: "Daemon", params: protocol.SetParams) -> protocol.Changes:
    return protocol.Changes(lines=await daemon.change(params.settings))


def _pause(daemon: "Daemon", _: protocol.Empty) -> protocol.Done:
    daemon.pause(True)
    busy = daemon.scheduler.busy
    return protocol.Done(message="pausing: the evaluation under way comes to its end" if busy else "paused")


def _resume(daemon: "Daemon", _: protocol.Empty) -> protocol.Done:
    daemon.pause(False)
    return protocol.Done(message="running")


def _stop(daemon: "Daemon", _: protocol.Empty) -> protocol.Done:
    daemon.stop_soon()
    return protocol.Done(message="stopping; `nasd start` goes on from the last finished trial")


def _checkpoint(daemon: "Daemon", _: protocol.Empty) -> protocol.Done:
    trials = daemon.run.sync()
    return protocol.Done(message=f"{trials} trials are on disk, the database is in one file")


async def _export(daemon: "Daemon", params: protocol.ExportParams) -> protocol.Done:
    from nasd.runs import tables  # noqa: PLC0415 - numpy

    directory, known = daemon.run.path, tables.names(daemon.run)
    if params.what not in known:  # it becomes a file's name
        raise NasdError(f"this run has no table {params.what[:40]!r} to export: it has {', '.join(known)}")
    path = directory / "exports" / f"{params.what}.csv"

    def write() -> int:  # seconds, for a long run: with a connection of its own, beside the search
        with Run.open(directory) as run:
            return tables.export(run, params.what, path)

    rows = await asyncio.to_thread(write)
    return protocol.Done(message=f"wrote {rows} rows to {path}")


READING: dict[str, Callable[[Any, Any], Message | Awaitable[Message]]] = {
    "status": _status,
    "rewards": _rewards,
    "insight": _insight,
    "machine": _machine,
    "trials": _trials,
    "trial": _trial,
    "jobs": _jobs,
    "log": _log,
    "runs": _runs,
    "config": _config,
}
"""What can be answered of a run's files alone."""

ACTING: dict[str, Answer] = {
    "queue_job": _queue_job,
    "cancel_job": _cancel_job,
    "move_job": _move_job,
    "mark": _mark,
    "set": _set,
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "checkpoint": _checkpoint,
    "export": _export,
}
"""What only a daemon can do."""

ANSWERS: dict[str, Answer] = {**READING, **ACTING, "subscribe": _subscribe}
