"""One worker's life on the cluster: its place, its actor, and what is said there and back."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from nasd.executors.ray import cluster, wire
from nasd.executors.ray.guardian import Guardian, Started
from nasd.executors.ray.wire import Ended, Line, Open, Opened, Said, Waits

PATIENCE = 5.0  # seconds without a place after which a worker's task may go to another worker
STOPPING = 5.0  # seconds in which an actor ends its worker; then Ray ends it
CALLS = 8  # that an actor takes at the same time
RAN_OUT = "running low on memory"  # what Ray says of its own kills alone; it names memory wherever a worker is lost

_heard: msgspec.json.Decoder[Said | Line | Ended] = msgspec.json.Decoder(Said | Line | Ended)
_LOST = (ray.exceptions.RayError, RuntimeError)


class Slot:
    """One worker, from its request to its end, of which it reports exactly one: `Waits` or `Ended`."""

    def __init__(self, request: Open, report: Callable[[wire.Report], None]) -> None:
        self.id, self._request, self._report = request.id, request, report
        self.closed = asyncio.Event()
        self.actor: Any = None
        self._closing = asyncio.Event()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._group: PlacementGroup | None = None

    def write(self, line: bytes) -> None:
        """Send the worker a line, after those before it."""
        self._unsent.put_nowait(line)

    def close(self) -> None:
        """End it soon."""
        self._closing.set()

    async def live(self) -> None:
        """Have a place, start the worker, and listen until it has ended or `close` is called."""
        closing, living = asyncio.create_task(self._closing.wait()), asyncio.create_task(self._live())
        await asyncio.wait([closing, living], return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not living.done():
            living.cancel()
        await asyncio.wait([living])
        await self._stop()
        end: wire.Report
        if living.cancelled():
            end = Ended(id=self.id, reason="was ended", blame=False)
        elif (error := living.exception()) is None:
            end = living.result()
        elif isinstance(error, _LOST):
            end = Ended(id=self.id, **_cause(error))
        else:
            raise error
        self._report(end)
        self.closed.set()

    async def _live(self) -> Ended | Waits:
        request = self._request
        bundle = {"CPU": request.cpu, "GPU": request.gpu, "memory": float(request.memory or 0)}
        self._group = placement_group([{name: amount for name, amount in bundle.items() if amount} or {"CPU": 0.001}])
        if not await self._placed():
            return Waits(
                id=self.id, reason=await asyncio.to_thread(cluster.lack, request.cpu, request.gpu, request.memory)
            )
        self.actor = (
            ray.remote(Guardian)
            .options(
                num_cpus=request.cpu,
                num_gpus=request.gpu,
                max_concurrency=CALLS,
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._group),
            )
            .remote()
        )
        command = msgspec.json.encode(request.command or ())
        started = msgspec.json.decode(
            await self.actor.start.remote(self.id, command, request.setup, request.scratch or ""), type=Started
        )
        names = cluster.names_of([node for node in await asyncio.to_thread(ray.nodes) if node["Alive"]])
        node = names.get(started.node, started.host)
        self._report(Opened(id=self.id, node=node, pid=started.pid, folder=started.folder, versions=started.versions))
        writing = asyncio.create_task(self._write())
        try:
            return await self._read()
        finally:
            writing.cancel()

    async def _placed(self) -> bool:
        waited = 0.0
        while placement_group_table(self._group)["state"] != "CREATED":
            if waited >= PATIENCE:
                return False
            pause = 0.02 if waited < 0.2 else 0.25
            await asyncio.sleep(pause)
            waited += pause
        return True

    async def _write(self) -> None:
        while True:
            line = await self._unsent.get()
            with contextlib.suppress(*_LOST):  # who reads finds out as well
                await self.actor.write.remote(line)

    async def _read(self) -> Ended:
        while True:
            for line in (await self.actor.read.remote(self._request.sign)).splitlines():
                message = _heard.decode(line)
                if isinstance(message, Ended):
                    return message
                self._report(message)

    async def _stop(self) -> None:
        if self.actor is not None:
            with contextlib.suppress(*_LOST, TimeoutError):
                async with asyncio.timeout(STOPPING):
                    await self.actor.stop.remote()
            with contextlib.suppress(*_LOST):
                ray.kill(self.actor)
        if self._group is not None:
            with contextlib.suppress(*_LOST):
                remove_placement_group(self._group)


def _cause(error: BaseException) -> dict[str, Any]:
    """Why an actor is lost, and whether its task may be at fault."""
    text = " ".join(str(error).split())
    short = text if len(text) <= 300 else text[:299] + "…"
    if isinstance(error, ray.exceptions.OutOfMemoryError) or RAN_OUT in text:
        return {"reason": "was ended by Ray because its node ran out of memory", "blame": True}
    if isinstance(error, ray.exceptions.RayTaskError):
        return {"reason": f"could not be started: {short}", "blame": False}
    return {"reason": f"was lost with its actor or its node: {short}", "blame": False}
