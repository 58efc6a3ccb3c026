"""A worker on a node of a Ray cluster, as its daemon sees it."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from nasd.evaluators.base import File
from nasd.evaluators.orders import DeepPrior, Order, Supernet, Think, Training
from nasd.evaluators.training.weight_files import CHECKPOINT, WeightFiles
from nasd.executors import messages, worker
from nasd.executors.channel import End, WorkerLostError, WorkerUnfitError
from nasd.executors.ray.guardian import versions
from nasd.executors.ray.link import Life, Link
from nasd.executors.ray.wire import Moved, Open, Opened, Pull, Push
from nasd.executors.staged import Staged
from nasd.executors.work import Setup
from store import files as store_files

log = logging.getLogger("nasd.cluster")

SIGNS = 6  # of life in the time without one after which a worker counts as lost
DISK_AGAIN = 5.0  # seconds until a disk that refused what a run cannot do without is tried again


@dataclass(frozen=True)
class Needs:
    """What a worker needs, and how it is started."""

    command: tuple[str, ...] | None
    cpu: float
    gpu: float
    memory: int | None
    scratch: str | None
    checkpoint_every: float  # seconds


class Actor:
    """See `nasd.executors.channel.Channel`. Files come and go before a task begins and when it has ended."""

    memory = 0

    def __init__(self, number: int, link: Link, needs: Needs, staging: Path) -> None:
        self._number, self._link, self._needs, self._staging = number, link, needs, staging
        self._id = 0
        self._life: Life | None = None
        self._opened: Opened | None = None
        self._bringing: asyncio.Task[None] | None = None
        self._brought = 0.0

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as is known here."""
        return self._opened is not None and self._life is not None and self._life.end is None

    @property
    def pid(self) -> int | None:
        """Of the worker, on its node."""
        return self._opened.pid if self._opened is not None else None

    @property
    def node(self) -> str:
        """Where it is."""
        return self._opened.node if self._opened is not None else ""

    async def open(self, setup: Setup) -> None:
        """Wait for a place on the cluster, and start the worker there."""
        needs = self._needs
        await self._link.use()
        gpu = needs.gpu if setup.device.startswith("cuda") else 0.0

        def request(id: int) -> Open:
            return Open(
                id=id,
                command=needs.command,
                setup=messages.encode(setup),
                cpu=needs.cpu,
                gpu=gpu,
                memory=needs.memory,
                scratch=needs.scratch,
                sign=worker.SILENCE / SIGNS,
            )

        self._id, self._life = self._link.open(self._number, request)
        await asyncio.wait([self._life.opened])
        if self._life.opened.cancelled():
            end = self._life.end or End("was ended", False)
            raise WorkerLostError(end.reason, blame=end.blame)
        opened = self._life.opened.result()
        here = versions()
        for name, version in here.items():
            if opened.versions.get(name) != version:
                raise WorkerUnfitError(
                    f"node {opened.node} has {name} {opened.versions.get(name)}, the daemon's box {version}: "
                    "install the same on both"
                )
        self._opened = opened

    def write(self, line: bytes) -> None:
        """Send a line."""
        self._link.write(self._id, line)

    async def read(self) -> bytes:
        """The next line; nothing at the end."""
        if self._life is None or (self._life.end is not None and self._life.lines.empty()):
            return b""
        return await self._life.lines.get()

    async def end(self) -> End:
        """As its node, or the bridge, says."""
        return (self._life.end if self._life is not None else None) or End("was ended", False)

    async def kill(self) -> None:
        """End the worker and its actor."""
        if self._bringing is not None:
            self._bringing.cancel()
            await asyncio.wait([self._bringing])
            self._bringing = None
        life, self._life, self._opened = self._life, None, None
        if life is not None:
            await self._link.close_life(self._id, life)

    # --- files --------------------------------------------------------------------------------------------------------

    async def bring(self, order: Order) -> Order:
        """A training's checkpoint, what thinking or an epoch of a supernet reads; the order with paths of the node."""
        self._brought = time.monotonic()
        match order:
            case DeepPrior():
                return msgspec.structs.replace(order, staging=None)
            case Training(weights=str(stem)):
                here, there = WeightFiles(Path(stem), keep=True), self._weights(stem)
                if here.path(CHECKPOINT).exists():
                    await self._push(here.path(CHECKPOINT), there.path(CHECKPOINT))
                return msgspec.structs.replace(
                    order, weights=str(PurePosixPath(self._folder, "weights", Path(stem).name))
                )
            case Think(inputs=inputs):
                return msgspec.structs.replace(order, inputs=await self._bring_inputs(inputs))
            case Supernet(begin=str(begin)):
                return msgspec.structs.replace(order, begin=(await self._bring_inputs({"begin": begin}))["begin"])
            case _:
                return order

    def stepped(self, order: Order) -> None:
        """Bring a training's checkpoint back, if the last one is old enough."""
        busy = self._bringing is not None and not self._bringing.done()
        due = time.monotonic() - self._brought >= self._needs.checkpoint_every
        if isinstance(order, Training) and order.weights is not None and due and not busy:
            self._brought = time.monotonic()
            self._bringing = asyncio.create_task(self._bring_back(order.weights), name=f"checkpoint-{self._number}")

    async def fetch(self, order: Order, files: Mapping[str, str]) -> dict[str, File]:
        """Bring all that it left, at once: its node may be gone before somebody asks."""
        if isinstance(order, Training) and order.weights is not None:
            if self._bringing is not None:
                await asyncio.wait([self._bringing])
            await self._fetch_weights(order.weights)
        folder = Path(getattr(order, "staging", None) or self._staging)
        fetched: dict[str, File] = {}
        for name, path in files.items():
            target = store_files.temporary_beside(folder / "any")
            while (moved := await self._pull(path, target, take=True)).error is not None:
                if not moved.here:
                    raise WorkerLostError(f"did not give what it left: {moved.error}", blame=False)
                if isinstance(order, DeepPrior):  # the result counts without it
                    log.warning("%s of worker %d is not kept: %s", name, self._number, moved.error)
                    break
                log.error("%s of worker %d is not taken, it is tried again: %s", name, self._number, moved.error)
                await asyncio.sleep(DISK_AGAIN)
            else:
                fetched[name] = Staged(target)
        return fetched

    async def _fetch_weights(self, stem: str) -> None:
        here, there = WeightFiles(Path(stem), keep=True), self._weights(stem)
        for name in ("best", "last", CHECKPOINT):  # with it, it need not be trained again should the daemon end now
            moved = await self._pull(there.path(name), here.path(name), take=True)
            if moved.error is not None and not moved.missing:
                if not moved.here:
                    raise WorkerLostError(f"did not give its weights: {moved.error}", blame=False)
                log.warning("%s is not written: %s", here.path(name), moved.error)

    async def _bring_back(self, stem: str) -> None:
        here, there = WeightFiles(Path(stem), keep=True), self._weights(stem)
        moved = await self._pull(there.path(CHECKPOINT), here.path(CHECKPOINT))
        if moved.error is not None and not moved.missing:
            log.warning("the checkpoint %s is not brought back: %s", here.path(CHECKPOINT).name, moved.error)

    async def _bring_inputs(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """Each under its number in place of the last order's, so that a node keeps no more than one order needs."""
        there = {name: f"{self._folder}/inputs/{number}" for number, name in enumerate(sorted(inputs))}
        for name, path in inputs.items():
            await self._push(Path(path), Path(there[name]))
        return there

    async def _push(self, source: Path, target: Path) -> None:
        moved = await self._link.move(lambda move: Push(id=self._id, move=move, source=str(source), target=str(target)))
        if moved.error is not None:
            raise WorkerLostError(f"did not take {source.name}: {moved.error}", blame=False)

    async def _pull(self, source: Path | str, target: Path, *, take: bool = False) -> Moved:
        return await self._link.move(
            lambda move: Pull(id=self._id, move=move, source=str(source), target=str(target), take=take)
        )

    def _weights(self, stem: str) -> WeightFiles:
        """The same training's files on the node."""
        return WeightFiles(Path(self._folder, "weights", Path(stem).name), keep=True)

    @property
    def _folder(self) -> str:
        if self._opened is None:
            raise WorkerLostError("is gone", blame=False)
        return self._opened.folder
