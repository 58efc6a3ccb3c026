"""A worker process of this box: its pipes, its end, its files, which lie where they belong already."""

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import psutil

from nasd.box.memory import memory_kills
from nasd.evaluators.base import File
from nasd.evaluators.orders import Order
from nasd.executors import messages
from nasd.executors.channel import MAX_LINE, WORDS, End, cause
from nasd.executors.staged import Staged
from nasd.executors.work import Setup

log = logging.getLogger("nasd.worker")

WORKER_COMMAND = (sys.executable, "-m", "nasd.executors.processes.worker")
KILL_TIME = 10.0  # seconds until a killed process is gone, unless it hangs inside a driver


class Pipes:
    """See `nasd.executors.channel.Channel`."""

    node = ""

    def __init__(self, number: int, command: tuple[str, ...]) -> None:
        self._number, self._command = number, command
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=WORDS)
        self._listening: asyncio.Task[None] | None = None
        self._kills_before = memory_kills()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid if self._process is not None else None

    @property
    def memory(self) -> int:
        """Resident bytes."""
        if self._process is not None and self.alive:
            with contextlib.suppress(psutil.Error):
                return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    async def open(self, setup: Setup) -> None:
        """Start the process, and send it its setup."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
            # A signal to the daemon's process group is the daemon's alone. Not a session of its own: a group of the
            # daemon's session is orphaned by its death, and the kernel then wakes and hangs up what is stopped in it.
            process_group=0,
        )
        self._said.clear()
        self._listening = asyncio.create_task(self._listen(self._process), name=f"worker-{self._number}-stderr")
        self.write(messages.encode(setup))

    def write(self, line: bytes) -> None:
        """Send a line."""
        if self._process is not None and self._process.stdin is not None:
            self._kills_before = memory_kills()
            self._process.stdin.write(line + b"\n")

    async def read(self) -> bytes:
        """The next line; nothing at the end."""
        if self._process is None or self._process.stdout is None:
            return b""
        return await self._process.stdout.readline()

    async def end(self) -> End:
        """Why the process closed its standard output."""
        if self._process is None:
            return End("was ended", False)
        try:
            async with asyncio.timeout(KILL_TIME):
                code = await self._process.wait()
        except TimeoutError:
            return End("closed its standard output and was ended", True)
        if self._listening is not None:  # its last words may still be on their way
            await asyncio.wait([self._listening], timeout=1.0)
        return cause(code, self._kills_before, tuple(self._said))

    async def kill(self) -> None:
        """End the process, whatever state it is in."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if process is not None:
            try:
                async with asyncio.timeout(KILL_TIME):
                    await process.communicate()  # reads its pipes to their end, so that they are closed
            except TimeoutError:  # nothing more can be done about it; a new process takes its place
                log.error("worker %d: process %d cannot be killed, its device may hang", self._number, process.pid)

    async def bring(self, order: Order) -> Order:
        """They are there."""
        return order

    def stepped(self, order: Order) -> None:
        """It is here."""

    async def fetch(self, order: Order, files: Mapping[str, str]) -> dict[str, File]:
        """They are here."""
        return {name: Staged(Path(path)) for name, path in files.items()}

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line over the limit; what follows it is read on
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()[:2000]
            self._said.append(text)
            log.info("worker %d: %s", self._number, text)
            await asyncio.sleep(0)  # a worker that floods must not shut out everything else
