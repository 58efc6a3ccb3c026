"""All runs of a box, over the same protocol: those with a daemon as it says, the others from their files."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from nasd import __version__, paths, protocol
from nasd.client import Target
from nasd.client.aio import Connection
from nasd.daemon.broadcast import Broadcast
from nasd.daemon.methods import Handler, Methods
from nasd.daemon.server import Server
from nasd.errors import NasdError
from nasd.protocol import Hello, Message, RunList, RunRow, Status
from nasd.runs.overview import run_row, written

STATES: dict[str, Literal["paused", "finished"]] = {"paused": "paused", "pausing": "paused", "finished": "finished"}
ANSWER_TIME = 3.0  # seconds that a run's daemon has to tell its status


class Home:
    """Answers `runs`, and nothing else.

    Args:
        folder: Whose runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[Any, RunRow]] = {}  # by directory: what its files looked like, and what they said
        handlers: dict[str, Handler] = {name: _refuse for name in protocol.OF_EVERY_RUN if name != "hello"}
        self.server = Server(
            folder / paths.SOCKET_NAME, self._hello, Methods("", handlers | {"runs": self._runs}), Broadcast()
        )

    def _hello(self) -> Hello:
        return Hello(
            protocol=protocol.PROTOCOL, version=__version__, name="", directory=str(self._folder), pid=os.getpid()
        )

    async def _runs(self, _: protocol.Empty) -> RunList:
        directories = paths.runs(self._folder)
        self._read = {directory: kept for directory, kept in self._read.items() if directory in directories}
        return RunList(rows=tuple(await asyncio.gather(*map(self._row, directories))))

    async def _row(self, directory: Path) -> RunRow:
        row = await asyncio.to_thread(self._of_files, directory)
        if (directory / paths.SOCKET_NAME).exists():
            try:
                return _of_daemon(row, await _status(directory))
            except (NasdError, TimeoutError):
                pass  # a dead daemon's socket, or it hangs: the files are what there is
        return row

    def _of_files(self, directory: Path) -> RunRow:
        """Read only if anything was written since."""
        seen = written(directory), (directory / paths.SOCKET_NAME).exists()
        kept = self._read.get(directory)
        if kept is None or kept[0] != seen:
            kept = self._read[directory] = (seen, run_row(directory))
        return kept[1]


async def _status(directory: Path) -> Status:
    async with asyncio.timeout(ANSWER_TIME):
        connection = await Connection.open(Target(directory=directory))
        try:
            status: Status = await connection.call("status")
            return status
        finally:
            await connection.close()


def _of_daemon(row: RunRow, status: Status) -> RunRow:
    """What only a daemon knows, beside what the files say."""
    progress = status.progress
    left = None if progress.total is None else progress.total - progress.counted
    pace = 3600 * left / progress.eta_seconds if left and progress.eta_seconds else None
    return msgspec.structs.replace(
        row,
        state=STATES.get(status.state, "running"),
        served=True,
        trials=progress.trials,
        counted=progress.counted,
        total=progress.total,
        best_reward=status.best[0].reward if status.best else row.best_reward,
        eta_seconds=progress.eta_seconds if status.state == "running" else None,
        pace=pace,
        problems=status.problems,
    )


def _refuse(_: Any) -> Message:
    raise NasdError("choose a run first")


def made(folder: Path) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """What serves one client of all runs under `folder`."""
    return Home(folder).server.serve
