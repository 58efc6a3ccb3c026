"""Files between the daemon's box and a node: in chunks, compared by hash, whole or not at all."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import ray

from nasd.executors.ray.guardian import Entry
from nasd.executors.ray.wire import Moved, Pull, Push
from store import files

CHUNK = 4 << 20  # bytes
TRIES = 3  # at a file that is replaced while it is copied


class Mover:
    """Copies files to and from one actor's node; without an actor everything fails."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def move(self, request: Push | Pull) -> Moved:
        """Carry a request out."""
        if self._actor is None:
            return Moved(move=request.move, error="the worker is gone")
        try:
            if isinstance(request, Push):
                await self._push(Path(request.source), request.target)
                return Moved(move=request.move)
            if not await self._pull(request.source, Path(request.target)):
                return Moved(move=request.move, error=f"there is no {request.source}", missing=True)
            if request.take:
                await self._actor.remove.remote(request.source)
            return Moved(move=request.move)
        except (ray.exceptions.RayError, RuntimeError, _DamagedError, msgspec.DecodeError) as error:
            return Moved(move=request.move, error=" ".join(str(error).split())[:300])
        except OSError as error:
            return Moved(move=request.move, error=str(error), here=True)

    async def _push(self, source: Path, target: str) -> None:
        digest, offset = hashlib.sha256(), 0
        with await asyncio.to_thread(source.open, "rb") as file:
            while (content := await asyncio.to_thread(file.read, CHUNK)) or not offset:
                digest.update(content)
                await self._actor.put.remote(target, offset, content)
                offset += len(content)
                if not content:
                    break
        await self._actor.finish.remote(target, digest.hexdigest())

    async def _pull(self, source: str, target: Path) -> bool:
        """Whether there was something."""
        for left in reversed(range(TRIES)):
            entries = msgspec.json.decode(await self._actor.list.remote(source), type=list[Entry])
            if not entries:
                return False
            temporary = files.temporary_beside(target)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                for entry in entries:
                    await self._fetch(source, entry, temporary)
                await asyncio.to_thread(files.sync_tree if temporary.is_dir() else files.sync, temporary)
                if target.is_dir():
                    files.remove(target)
                files.publish(temporary, target)
            except _DamagedError:
                if not left:
                    raise
            else:
                return True
            finally:
                files.remove(temporary) if temporary.exists() else None
        return False

    async def _fetch(self, source: str, entry: Entry, into: Path) -> None:
        name = Path(entry.name)
        if name.is_absolute() or ".." in name.parts:  # a node must not write where it likes
            raise _DamagedError(f"the node names a file {entry.name!r}")
        path = into / name if entry.name else into
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, offset = hashlib.sha256(), 0
        with path.open("wb") as file:
            while offset < entry.size:
                content = await self._actor.chunk.remote(
                    f"{source}/{entry.name}" if entry.name else source, offset, CHUNK
                )
                if not content:
                    break
                digest.update(content)
                await asyncio.to_thread(file.write, content)
                offset += len(content)
        if digest.hexdigest() != entry.sha256:
            raise _DamagedError(f"{source}/{entry.name} did not arrive as it was")


class _DamagedError(Exception):
    """What arrived is not what was sent."""
