"""The bridge to a Ray cluster: `python -m nasd.executors.ray.bridge`, a process of the daemon's own, which is the
cluster's driver. Requests on standard input, reports on standard output.

It keeps Ray out of the daemon: Ray ends a driver whose raylet or head node is gone, takes threads and signals, and
unpickles what a cluster sends it by way of errors. When the daemon is gone, so is this process, and with the owner of
the actors go the actors.
"""

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from nasd.box.parent import die_with_parent
from nasd.executors.channel import MAX_LINE
from nasd.executors.ray import cluster, wire
from nasd.executors.ray.moving import Mover
from nasd.executors.ray.slot import Slot
from nasd.executors.ray.wire import Close, Connect, Connected, Nodes, Open, Pull, Push, Refused, Write

log = logging.getLogger("nasd.bridge")

LOOK = 5.0  # seconds between two looks at the nodes


class Bridge:
    """Serves one daemon."""

    def __init__(self, report: Callable[[wire.Report], None]) -> None:
        self._report = report
        self._slots: dict[int, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until standard input ends."""
        reader = asyncio.StreamReader(limit=2 * MAX_LINE)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        connect = wire.decode_request(await reader.readline())
        if not isinstance(connect, Connect):
            raise TypeError(f"the first message must be connect, not {connect}")
        try:
            version = await asyncio.to_thread(cluster.connect, connect.address, connect.cpus)
        except cluster.UnreachableError as error:
            self._report(Refused(reason=str(error)))
            return
        self._report(Connected(ray=version))
        looking = asyncio.create_task(self._look())
        looking.add_done_callback(self._done)
        while line := await reader.readline():
            self._do(wire.decode_request(line))
        for slot in list(self._slots.values()):
            slot.close()
        await asyncio.wait([asyncio.create_task(slot.closed.wait()) for slot in self._slots.values()] or [_done()])
        looking.cancel()
        cluster.disconnect()
        os._exit(0)  # threads that ask the cluster may hang now

    def _do(self, request: wire.Request) -> None:
        match request:
            case Open():
                slot = Slot(request, self._report)
                self._slots[request.id] = slot
                self._begin(self._live(slot))
            case Write(id=id, line=line) if id in self._slots:
                self._slots[id].write(line)
            case Close(id=id) if id in self._slots:
                self._slots[id].close()
            case Push(id=id) | Pull(id=id):
                slot_of_it = self._slots.get(id)
                mover = Mover(slot_of_it.actor if slot_of_it else None)
                self._begin(self._move(mover, request))

    async def _live(self, slot: Slot) -> None:
        try:
            await slot.live()
        finally:
            self._slots.pop(slot.id, None)

    async def _move(self, mover: Mover, request: Push | Pull) -> None:
        self._report(await mover.move(request))

    async def _look(self) -> None:
        while True:
            try:
                nodes = await asyncio.to_thread(cluster.nodes)  # where it hangs, the daemon ends this process
            except cluster.UnreachableError as error:
                self._report(Refused(reason=f"the cluster does not answer any more: {error}"))
                os._exit(1)
            self._report(Nodes(nodes=tuple(nodes)))
            await asyncio.sleep(LOOK)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            os._exit(1)  # the daemon makes another


def main() -> None:
    """Serve the daemon at standard input."""
    die_with_parent()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    with contextlib.suppress(msgspec.DecodeError, KeyboardInterrupt):
        asyncio.run(Bridge(_take_standard_output()).serve())
    os._exit(0)


def _take_standard_output() -> Callable[[wire.Report], None]:
    """Keep standard output for reports; whatever else prints there goes to standard error, that is to the log."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(message: wire.Report) -> None:
        line = memoryview(wire.encode(message) + b"\n")
        with lock, contextlib.suppress(BrokenPipeError):
            while line:
                line = line[pipe.write(line) :]

    return report


async def _nothing() -> None:
    return


def _done() -> "asyncio.Task[None]":
    return asyncio.create_task(_nothing())


if __name__ == "__main__":
    main()
