"""A run without a daemon: the same answers over the same protocol, read from its files. Nothing is changed.

`nasd stdio --files` runs it in a process of its own, which ends with its client, or when a daemon is there.
"""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nasd import __version__, paths, protocol, rooms
from nasd.daemon import answers, views
from nasd.daemon.broadcast import Broadcast
from nasd.daemon.history import History
from nasd.daemon.job_rows import page
from nasd.daemon.load_history import LoadHistory
from nasd.daemon.log import LogFiles
from nasd.daemon.methods import Handler, Methods
from nasd.daemon.server import Server
from nasd.errors import NasdError, NotRunningError
from nasd.protocol import Hello, JobPage, JobsParams, Message, Status
from nasd.runs import changes
from nasd.runs.from_scratch import ranking
from nasd.runs.opening import Search, search_of
from nasd.spaces.base import Space
from nasd.strategies.base import Progress, Stage
from store import Rewards, Run

if TYPE_CHECKING:
    from nasd.daemon.insight import Insights

WATCH = 1.0  # seconds between two looks for a daemon
MOST_RESTORED = 20_000  # trials up to which the strategy is restored unasked: it takes processor time
PATIENCE = 0.25  # seconds that the first page waits for the strategy


class Reader:
    """Answers from a run's files, as its daemon would if it did nothing.

    Args:
        directory: The run.

    Raises:
        StoreError: The run cannot be read.
        ConfigError: Its config cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.run = Run.open(directory)
        self.config = changes.config_of(self.run)
        self.journal = LogFiles(directory / "log")
        self.jobs = _Jobs(self.run)
        self.history = History()
        counted = self.run.rewards()
        self.history.load(self.run.by_status(), counted.numbers, counted.rewards, counted.of_stages)
        self.load = LoadHistory()  # nobody measures
        self._flags = self.run.flags()
        self._progress = _progress(counted, self._flags.get("total"))
        self._search: asyncio.Task[Search] | None = None
        self.broadcast = Broadcast()
        self.server = Server(paths.socket_path(directory), self._hello, self._methods(), self.broadcast)

    # The first screen asks for neither of these, and numpy takes as long as all the rest of it.

    @cached_property
    def space(self) -> Space[Any]:
        """The run's."""
        return rooms.space(self.config)

    @cached_property
    def insights(self) -> "Insights":
        """What the search has learned, read as it is asked for."""
        from nasd.daemon.insight import Insights  # noqa: PLC0415

        return Insights(self.run.path, self.space)

    async def serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves, or a daemon runs."""
        if self.run.count() <= MOST_RESTORED:
            self._restored()
        client = asyncio.create_task(self.server.serve(incoming, outgoing))
        watch = asyncio.create_task(_until_answered(paths.socket_path(self.run.path)))
        try:
            await asyncio.wait({client, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (client, watch):
                task.cancel()
            await asyncio.gather(client, watch, return_exceptions=True)

    def progress(self) -> Progress:
        """Where the search is: of its strategy, or as far as the trials tell."""
        return self._progress

    def status(self) -> Status:
        """The first page."""
        progress = self.history.progress(self._progress)
        ended = bool(self._flags.get("finished"))
        return Status(
            name=self.config.name,
            directory=str(self.run.path),
            pid=os.getpid(),
            version=__version__,
            strategy=self.config.search.strategy,
            space=self.config.space.kind,
            state="finished" if ended else "stopped",
            activity="the search is finished" if ended else "no daemon runs it",
            progress=msgspec.structs.replace(progress, notes=(*progress.notes, *self.jobs.notes)),
            best=tuple(map(views.trial_row, self.run.best(views.BEST))),
            recent=tuple(map(views.trial_row, self.run.trials(limit=views.RECENT, descending=True))),
            workers=(),
            machine=None,
            problems=(),
            started_at=time.time(),
            created_at=self.run.created_at,
            time=time.time(),
            dataset=self.config.data.name,
            jobs_queued=0,
            read_only=True,
        )

    def _hello(self) -> Hello:
        return Hello(
            protocol=protocol.PROTOCOL,
            version=__version__,
            name=self.config.name,
            directory=str(self.run.path),
            pid=os.getpid(),
        )

    def _methods(self) -> Methods:
        strategy = self.config.search.strategy
        handlers: dict[str, Handler] = {name: partial(answer, self) for name, answer in answers.READING.items()}
        handlers |= {name: partial(self._refuse, name) for name in answers.ACTING}
        handlers |= {name: partial(self._of_strategy, name) for name in protocol.OF_STRATEGIES.get(strategy, ())}
        handlers["subscribe"] = self._subscribe
        return Methods(strategy, handlers)

    async def _subscribe(self, _: protocol.Empty) -> protocol.Snapshot:
        if self._search is not None:
            await asyncio.wait({self._search}, timeout=PATIENCE)
        return protocol.Snapshot(seq=self.broadcast.seq, status=self.status())

    def _refuse(self, method: str, _: Any) -> Message:
        raise NotRunningError(f"{method} needs a daemon: start it with `nasd start {self.run.path.name}`")

    async def _of_strategy(self, method: str, params: Any) -> Message:
        search = await asyncio.shield(self._restored())
        return rooms.views(self.config)[method](search.strategy, search.space, params)

    def _restored(self) -> "asyncio.Task[Search]":
        """The strategy as its last commit left it; read once, beside what is answered."""
        if self._search is None:
            self._search = asyncio.create_task(self._restore(), name="restore")
        return self._search

    async def _restore(self) -> Search:
        # A thread that the process does not wait for when its client leaves.
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        found: list[Search | Exception] = []

        def read() -> None:
            try:
                with Run.open(self.run.path) as run:
                    found.append(search_of(run))
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                found.append(error)
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=read, daemon=True, name="restore").start()
        await done.wait()
        search = found[0]
        if isinstance(search, Exception):
            raise NasdError(f"the strategy cannot be restored: {search}") from search
        self._progress = search.strategy.progress()
        self.broadcast.publish(lambda seq: protocol.StatusRenewed(seq=seq, time=time.time(), status=self.status()))
        return search


class _Jobs:
    """The queue, at rest."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def notes(self) -> tuple[str, ...]:
        """As a daemon's."""
        return ranking(self._run.jobs()).sentences

    def page(self, params: JobsParams) -> JobPage:
        """As a daemon's."""
        return page(self._run.jobs(), params)


def _progress(counted: Rewards, total: int | None) -> Progress:
    """As far as trials tell: the stages that have some."""
    done = [0] * len(counted.labels)
    for stage in counted.stages:
        done[stage] += 1
    stages = tuple(Stage(label, of_stage, None) for label, of_stage in zip(counted.labels, done, strict=True))
    return Progress(len(counted.numbers), total, max(0, len(stages) - 1), stages)


async def _until_answered(path: Path) -> None:
    """Wait for a daemon."""
    while True:
        await asyncio.sleep(WATCH)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                continue
            return


async def serve(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Answer one client on standard input and output, such as by `Reader.serve`."""
    loop = asyncio.get_running_loop()
    incoming = asyncio.StreamReader(limit=protocol.MAX_FRAME)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(incoming), sys.stdin)
    transport, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    outgoing = asyncio.StreamWriter(transport, flow, None, loop)
    await answer(incoming, outgoing)
