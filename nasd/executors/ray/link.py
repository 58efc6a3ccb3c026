"""The daemon's end of the bridge: starts it when it is needed, again where it was lost, and tells who gets what."""

import asyncio
import contextlib
import itertools
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from nasd.executors.channel import MAX_LINE, End, WorkerWaitsError
from nasd.executors.ray import wire
from nasd.executors.ray.wire import (
    Close,
    Connect,
    Connected,
    Ended,
    Line,
    Moved,
    Nodes,
    Open,
    Opened,
    Pull,
    Push,
    Refused,
    Said,
    Waits,
    Write,
)
from nasd.protocol import Node

log = logging.getLogger("nasd.cluster")

COMMAND = (sys.executable, "-m", "nasd.executors.ray.bridge")
CONNECTING = 60.0  # seconds until a bridge has a cluster
LEAVING = 20.0  # seconds in which a bridge ends its workers and leaves the cluster
NO_ANSWER = 30.0  # seconds without a look at the nodes after which the cluster counts as gone
LATE = 1.0  # seconds by which that is noticed late only if this process was itself stopped
AGAIN = (0.5, 30.0)  # seconds until a cluster that cannot be reached is tried again: at first, at most


class Life:
    """One worker's life at the other end of the bridge."""

    def __init__(self, number: int) -> None:
        self.number = number  # of the worker, for the log
        self.opened: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()  # an empty one is the end
        self.end: End | None = None
        self.over = asyncio.Event()

    def finish(self, end: End, error: Exception | None = None) -> None:
        """It has ended."""
        self.end = end
        self.lines.put_nowait(b"")
        self.over.set()
        if not self.opened.done():
            if error is None:
                self.opened.cancel()
            else:
                self.opened.set_exception(error)
                self.opened.exception()  # nobody may ask for it


class Link:
    """The bridge to one cluster.

    Args:
        connect: Which.
        trouble: Told what keeps it from the cluster, and None once it is there.
        nodes_changed: Told of the cluster's nodes every few seconds.
    """

    def __init__(
        self, connect: Connect, trouble: Callable[[str | None], None], nodes_changed: Callable[[Sequence[Node]], None]
    ) -> None:
        self._connect, self._trouble, self._nodes_changed = connect, trouble, nodes_changed
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connected: asyncio.Future[None] | None = None
        self._lock = asyncio.Lock()
        self._ids = itertools.count(1)
        self._lives: dict[int, Life] = {}
        self._moves: dict[int, asyncio.Future[Moved]] = {}
        self._words: deque[str] = deque(maxlen=5)
        self._failures = 0

    @property
    def alive(self) -> bool:
        """Whether there is a bridge, as far as is known."""
        return self._process is not None and self._process.returncode is None

    async def use(self) -> None:
        """Have a bridge.

        Raises:
            WorkerWaitsError: The cluster cannot be reached; it was said to `trouble`, and a while has passed.
        """
        async with self._lock:
            if self.alive and self._connected is not None and self._connected.done():
                return
            try:
                await self._start()
            except (_RefusedError, TimeoutError, OSError) as error:
                await self._end()
                reason = str(error) or f"no answer for {CONNECTING:g} s"
                self._failures += 1
                problem = f"the Ray cluster at {self._connect.address} cannot be reached, it is tried again: {reason}"
                self._trouble(problem)
                log.error("%s", problem)
                first, most = AGAIN
                await asyncio.sleep(min(first * 2 ** min(self._failures - 1, 20), most))
                raise WorkerWaitsError("waiting for the cluster") from error
            except BaseException:
                await self._end()
                raise
            self._failures = 0
            self._trouble(None)

    def open(self, number: int, request: Callable[[int], Open]) -> tuple[int, Life]:
        """Begin a worker's life."""
        id, life = next(self._ids), Life(number)
        self._lives[id] = life
        self._send(request(id))
        return id, life

    def write(self, id: int, line: bytes) -> None:
        """Send a worker a line."""
        self._send(Write(id=id, line=line))

    async def close_life(self, id: int, life: Life) -> None:
        """End a worker; it is gone when this returns, unless its node cannot be reached."""
        if not life.over.is_set():
            self._send(Close(id=id))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await life.over.wait()

    async def move(self, request: Callable[[int], Push | Pull]) -> Moved:
        """Have a file copied."""
        move = next(self._ids)
        future: asyncio.Future[Moved] = asyncio.get_running_loop().create_future()
        self._moves[move] = future
        self._send(request(move))
        if not self.alive:
            return Moved(move=move, error="the bridge is gone")
        try:
            return await future
        finally:
            self._moves.pop(move, None)

    async def close(self) -> None:
        """End the bridge; workers that it still has end too."""
        async with self._lock:
            await self._end()

    async def _start(self) -> None:
        await self._end()
        self._words.clear()
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2 * MAX_LINE,
            process_group=0,
            env=environment(self._connect.address),
        )
        self._connected = asyncio.get_running_loop().create_future()
        self._hearing = asyncio.create_task(self._hear(self._process, self._connected), name="bridge")
        self._listening = asyncio.create_task(self._listen(self._process), name="bridge-stderr")
        self._send(self._connect)
        async with asyncio.timeout(CONNECTING):
            await self._connected

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(LEAVING):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        for task in (self._hearing, self._listening):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._lose("the bridge to the cluster was ended")

    def _send(self, request: wire.Request) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(wire.encode(request) + b"\n")

    async def _hear(self, process: asyncio.subprocess.Process, connected: asyncio.Future[None]) -> None:
        assert process.stdout is not None
        reason = ""
        while True:
            began, wait = time.monotonic(), NO_ANSWER if connected.done() else CONNECTING
            try:
                async with asyncio.timeout(wait):
                    line = await process.stdout.readline()
            except TimeoutError:
                if time.monotonic() - began > wait + LATE:  # it was this process that was stopped
                    continue
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                reason = f"no answer for {wait:g} s"
                break
            try:
                report = wire.decode_report(line) if line else None
            except msgspec.DecodeError as error:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                reason = f"the bridge sent something that is not a report: {error}"
                break
            if report is None:
                break
            if isinstance(report, Refused):
                reason = report.reason
            elif isinstance(report, Connected):
                log.info("connected with the cluster at %s, Ray %s", self._connect.address, report.ray)
                connected.set_result(None)
            else:
                self._take(report)
        code = await process.wait()
        said = f"; its last words: {self._words[-1]}" if self._words else ""
        reason = reason or f"the bridge to the cluster ended with exit code {code}{said}"
        if not connected.done():
            connected.set_exception(_RefusedError(reason))
        elif self._process is process:  # nobody has ended it
            log.warning("the cluster is lost: %s", reason)
        self._lose(reason)

    def _take(self, report: wire.Report) -> None:
        match report:
            case Nodes(nodes=nodes):
                self._nodes_changed(nodes)
            case Moved(move=move):
                if (future := self._moves.get(move)) is not None and not future.done():
                    future.set_result(report)
            case Opened(id=id) | Line(id=id) | Said(id=id) | Waits(id=id) | Ended(id=id) if id in self._lives:
                self._take_of(self._lives[id], report)
                if isinstance(report, Waits | Ended):
                    del self._lives[id]

    def _take_of(self, life: Life, report: wire.Report) -> None:
        match report:
            case Opened():
                if not life.opened.done():
                    life.opened.set_result(report)
            case Line(line=line):
                life.lines.put_nowait(line or b" ")
            case Said(text=text):
                log.info("worker %d: %s", life.number, text)
            case Waits(reason=reason):
                life.finish(End(reason, False), WorkerWaitsError(reason))
            case Ended():
                life.finish(End(report.reason, report.blame, report.fault))

    def _lose(self, reason: str) -> None:
        """The bridge is gone, and with it all that went over it."""
        lives, self._lives = self._lives, {}
        for life in lives.values():
            life.finish(End(f"was lost with the cluster: {reason}", False), WorkerWaitsError("waiting for the cluster"))
        for future in self._moves.values():
            if not future.done():
                future.set_result(Moved(move=0, error=reason))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()[:2000]
            self._words.append(text)
            log.info("bridge: %s", text)
            await asyncio.sleep(0)


class _RefusedError(Exception):
    """There is no cluster."""


def environment(address: str) -> dict[str, str]:
    """What Ray reads when it is imported. Besides, the bridge finds this very nasd, wherever the daemon was started."""
    here = str(Path(__file__).parents[3])
    given = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": here if given is None else f"{here}{os.pathsep}{given}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_AUTO_CONNECT": "0",  # else a question to a cluster that was left starts another one
        # Ray's switch for clusters of one box: every server of it listens on the loopback address alone.
        **({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"} if address == "local" else {}),
    }
