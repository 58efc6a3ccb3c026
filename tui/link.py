"""The connection as the UI sees it: it comes back by itself, and always knows how old its data is. No Textual here."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from nasd import protocol
from nasd.client import Target, VersionError
from nasd.client.aio import Connection
from nasd.errors import NasdError, NotRunningError

STALL = 6.0
"""Seconds without a word after which the data counts as old: three heartbeats."""

FIRST_DELAY, LAST_DELAY = 0.1, 3.0
FILES_AGAIN = 30.0
"""Seconds until files that could not be read are tried again: each try is a process of its own."""

RECENT = 10

Condition = Literal["none", "connecting", "live", "lost", "refused"]
"""`none`: no run is chosen yet; `lost`: it was there, or is not up yet, and is tried again; `refused`: another version
answers."""


@dataclass(frozen=True)
class Renewed:
    """A new snapshot replaced everything known."""


@dataclass(frozen=True)
class Seen:
    """A state of the search, and when it was true, in seconds of the link's clock."""

    state: protocol.RunState
    at: float


@dataclass(frozen=True)
class Turned:
    """The condition of the connection changed."""


Change = protocol.Event | Renewed | Turned


async def opened(target: Target, *, files: bool = True) -> Connection:
    """A connection to the daemon, or, where none runs, to a reader of the run's files.

    Raises:
        NasdError: Neither answers.
    """
    if target.host is not None:
        return await Connection.open(target, files=True)  # nasd over there knows whether a daemon runs
    try:
        return await Connection.open(target)
    except NotRunningError as error:
        if not files:
            raise
        try:
            return await Connection.open(target, files=True)
        except NotRunningError as reading:
            raise NotRunningError(f"{error}, and its files cannot be read: {reading}") from error


class Link:
    """Follows one daemon at a time. `status` is its state as last heard; `listener` is told of every change."""

    def __init__(
        self,
        target: Target,
        listener: Callable[[Change], None],
        clock: Callable[[], float] = time.monotonic,
        opening: Awaitable[Connection] | None = None,
    ) -> None:
        """Follow nobody yet.

        Args:
            target: Which daemon.
            listener: Called with every change.
            clock: Seconds that only go forward.
            opening: The first connection, if it is being opened already.
        """
        self.target = target
        self.condition: Condition = "none" if target.home else "connecting"
        self.sentence = f"connecting to {target}"
        self.status: protocol.Status | None = None
        self._listener = listener
        self._clock = clock
        self._heard = clock()
        self._told = clock()  # when `status.time` was true
        self._sequence = 0
        self._seen: Seen | None = None
        self._no_files_until = 0.0
        self._connection: Connection | None = None
        self._opening = opening
        self._prepared: Connection | None = None
        self._retry = asyncio.Event()

    @property
    def age(self) -> float:
        """Seconds since the daemon was last heard."""
        return max(0.0, self._clock() - self._heard)

    @property
    def live(self) -> bool:
        """Whether what is shown is the present."""
        return self.condition == "live" and self.age <= STALL

    def since(self, moment: float) -> float:
        """Seconds since a moment of the link's clock."""
        return max(0.0, self._clock() - moment)

    @property
    def serving(self) -> bool:
        """Whether a daemon is there that does what it is asked to."""
        return self.condition == "live" and self.status is not None and not self.status.read_only

    @property
    def seen(self) -> "Seen | None":
        """How the search was last seen under a daemon that is gone since."""
        return None if self.serving else self._seen

    @property
    def now(self) -> float:
        """The daemon's clock, as far as it is known: it goes on from the last event."""
        return self.status.time + max(0.0, self._clock() - self._told) if self.status else 0.0

    async def call(self, method: str, params: protocol.Params | None = None, timeout: float = 15.0) -> Any:
        """Ask the daemon, as `Connection.call`.

        Raises:
            NasdError: There is no connection, or the daemon refused; the message is for the person.
        """
        if self._connection is None:
            raise NotRunningError("not known here while nobody answers")  # why stands below the header, once
        answer = await self._connection.call(method, params, timeout)
        self._heard = self._clock()
        return answer

    async def attach(self, target: Target) -> None:
        """Follow another daemon from now on, if it answers.

        Raises:
            NasdError: It does not; the present one is still followed.
        """
        prepared = await opened(target)
        if self._prepared is not None:
            await self._prepared.close()
        self._prepared, self.target, self.status, self._seen = prepared, target, None, None
        self._no_files_until = 0.0
        if self.condition == "none":
            self.condition = "connecting"
        if self._connection is not None:
            await self._connection.close()
        self._retry.set()

    def look_again(self) -> None:
        """Do not wait with the next try to connect."""
        self._retry.set()

    async def run(self) -> None:
        """Connect, follow, and connect again, until cancelled."""
        delay = FIRST_DELAY
        while True:
            try:
                connection, self._prepared = self._prepared or await self._open(), None
                try:
                    await self._follow(connection)
                finally:
                    self._connection = None
                    await connection.close()
            except NasdError as error:
                if self._prepared is not None:
                    continue  # ended by `attach`
                if self.condition == "live":
                    delay = FIRST_DELAY
                self._turn("refused" if isinstance(error, VersionError) else "lost", str(error))
            self._retry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._retry.wait(), delay)
            delay = min(LAST_DELAY, 1.6 * delay)

    async def _open(self) -> Connection:
        opening, self._opening = self._opening, None
        try:
            return await (opening or opened(self.target, files=self._clock() >= self._no_files_until))
        except NotRunningError:
            self._no_files_until = self._clock() + FILES_AGAIN
            raise

    async def _follow(self, connection: Connection) -> None:
        """Returns never: the end of the connection is an error that says why."""
        self._connection = connection
        await self._subscribe(connection)
        async for event in connection.events():
            self._heard = self._clock()
            if event.seq <= self._sequence:
                continue  # sent before the snapshot that is already here
            if event.seq > self._sequence + 1:
                await self._subscribe(connection)
                continue
            self._sequence = event.seq
            self._take(event)
            self._listener(Renewed() if isinstance(event, protocol.StatusRenewed) else event)
        raise connection.failure or NotRunningError(f"the connection to {self.target} ended")

    async def _subscribe(self, connection: Connection) -> None:
        snapshot = await connection.subscribe()
        self.status, self._sequence = snapshot.status, snapshot.seq
        self._heard = self._told = self._clock()
        self._saw()
        self._turn("live", "")
        self._listener(Renewed())

    def _take(self, event: protocol.Event) -> None:
        status = self.status
        if status is None:
            return
        self._told = self._heard
        changes: dict[str, Any] = {"time": event.time}
        match event:
            case protocol.TrialFinished():
                changes |= {"progress": event.progress, "best": event.best}
                changes["recent"] = (event.row, *status.recent)[:RECENT]
            case protocol.WorkerChanged():
                workers = {worker.id: worker for worker in status.workers} | {event.worker.id: event.worker}
                if event.worker.passing and event.worker.state == "gone":
                    del workers[event.worker.id]
                changes["workers"] = tuple(workers[id] for id in sorted(workers))
            case protocol.StateChanged():
                changes |= {"state": event.state, "activity": event.activity, "problems": event.problems}
            case protocol.JobChanged():
                changes["jobs_queued"] = event.queued
            case protocol.MachineLoad():
                changes["machine"] = event.machine
            case protocol.StatusRenewed():
                self.status = event.status
                return
            case protocol.Logged():
                pass
        self.status = msgspec.structs.replace(status, **changes)
        self._saw()

    def _saw(self) -> None:
        """Remember a daemon's state for when it is gone."""
        if self.status is not None and not self.status.read_only:
            self._seen = Seen(self.status.state, self._told)

    def _turn(self, condition: Condition, sentence: str) -> None:
        if (condition, sentence) != (self.condition, self.sentence):
            self.condition, self.sentence = condition, sentence
            self._listener(Turned())
