"""How an executor reaches a worker, wherever that runs: lines of JSON there and back, and files."""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from nasd.box import faults, limits
from nasd.box.memory import Kills, memory_kills
from nasd.evaluators.base import File
from nasd.evaluators.orders import Order
from nasd.executors.work import Setup

MAX_LINE = 1 << 26  # bytes of a report; what a strategy thought out may be megabytes
WORDS = 5  # lines that a worker printed, of which the last are its last words


class WorkerLostError(Exception):
    """A worker ended, or had to be ended, in the middle of a task.

    Attributes:
        blame: Whether the task may have caused it.
        fault: What the box lacked, in words, where that may be the cause.
    """

    def __init__(self, reason: str, *, blame: bool, fault: str | None = None) -> None:
        super().__init__(reason)
        self.blame, self.fault = blame, fault


class WorkerUnfitError(Exception):
    """A worker could not be set up, for a reason that a person has to remove."""


class WorkerWaitsError(Exception):
    """A worker has no place yet: what it needs is taken. It will be tried again; nobody has to do anything."""


class End(NamedTuple):
    """Why a worker's process is no more."""

    reason: str
    blame: bool  # its task may be at fault
    fault: str | None = None  # what its box lacked, in words, where that may be the cause


class Channel(Protocol):
    """One worker's process. Opened again after its end."""

    @property
    def alive(self) -> bool:
        """Whether the process runs, as far as is known here."""
        ...

    @property
    def pid(self) -> int | None:
        """Of the process, on its box."""
        ...

    @property
    def node(self) -> str:
        """The name of its box; empty for the daemon's own."""
        ...

    @property
    def memory(self) -> int:
        """Resident bytes; 0 where that is not known."""
        ...

    async def open(self, setup: Setup) -> None:
        """Start the process, and send it its setup.

        Raises:
            WorkerWaitsError: There is no place for it now.
            WorkerUnfitError: There is a place, but not a fit one.
            WorkerLostError: What there was of it is lost.
            OSError: The process could not be made.
        """
        ...

    def write(self, line: bytes) -> None:
        """Send a line, given without its end. One to a process that has ended is lost."""
        ...

    async def read(self) -> bytes:
        """The next line; nothing at the process's end.

        Raises:
            ValueError: It is longer than `MAX_LINE`.
        """
        ...

    async def end(self) -> End:
        """Why there are no more lines."""
        ...

    async def kill(self) -> None:
        """End the process, whatever state it is in."""
        ...

    async def bring(self, order: Order) -> Order:
        """Bring the files that an order reads to where the worker is; the order with their paths there.

        Raises:
            WorkerLostError: The worker's box does not take them.
        """
        ...

    def stepped(self, order: Order) -> None:
        """An order, as it was given, got on: what is worth keeping of it may be fetched."""
        ...

    async def fetch(self, order: Order, files: Mapping[str, str]) -> dict[str, File]:
        """An order, as it was given, has ended: fetch what has its place already; the rest as handles.

        Raises:
            WorkerLostError: The worker's box does not give them.
        """
        ...


MakeChannel = Callable[[int], Channel]
"""Makes the channel of the worker with this number."""


def cause(code: int, kills_before: Kills, said: Sequence[str]) -> End:
    """Why a process of this box ended.

    Args:
        code: Its exit code, or the negative number of a signal.
        kills_before: What had been killed for want of memory before its task began.
        said: The last lines that it printed.
    """
    reason, blame = _cause(code, kills_before, f"; its last words: {said[-1]}" if said else "")
    return End(reason, blame, faults.in_words("\n".join(said)) if blame else None)


def _cause(code: int, kills_before: Kills, last: str) -> tuple[str, bool]:
    if code >= 0:
        return f"ended by itself with exit code {code}{last}", True
    name = signal.Signals(-code).name
    kills = memory_kills()
    if -code == signal.SIGKILL and kills.of_container > kills_before.of_container:
        return f"was killed because the container's memory of {limits.memory().counts} bytes ran out", True
    if -code == signal.SIGKILL and kills.of_box > kills_before.of_box:
        return "was killed by the kernel because memory ran out", True
    return f"was killed by {name}{last}", -code not in (signal.SIGKILL, signal.SIGTERM)
