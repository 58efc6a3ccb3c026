"""Snapshots that are taken every so many trials, beside the search."""

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path

from nasd.config import SnapshotsConfig
from store import StoreError, snapshot

log = logging.getLogger("nasd.backups")


class Backups:
    """Takes one snapshot at a time, in a thread, and removes the oldest; by `config`.

    Args:
        directory: The run.
        name: The run's.
        config: When, how many, and where.
        trouble: Told why the last one could not be taken, and None once one is.
    """

    def __init__(
        self, directory: Path, name: str, config: SnapshotsConfig, trouble: Callable[[str | None], None]
    ) -> None:
        self._directory, self._name, self.config, self._trouble = directory, name, config, trouble
        self._task: asyncio.Task[None] | None = None

    def trial_finished(self, trials: int) -> None:
        """Begin a snapshot if one is due. One that still runs when the next is due takes its place."""
        if self.config.every is None or trials % self.config.every:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._take(trials), name="snapshot")

    async def finish(self) -> None:
        """Wait for the one that is under way."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _take(self, trials: int) -> None:
        target = (self.config.to or self._directory / "snapshots") / f"{self._name}-{trials:06d}.tar"
        try:
            await asyncio.to_thread(self._write, target)
        except (StoreError, OSError) as error:
            log.error("%s", error)
            self._trouble(f"the snapshot after trial {trials} could not be taken: {error}")
        else:
            log.info("snapshot after trial %d: %s", trials, target)
            self._trouble(None)

    def _write(self, target: Path) -> None:
        target.unlink(missing_ok=True)  # of a run of this name that was here before, or went back
        snapshot.write(self._directory, target)
        pattern = re.compile(re.escape(self._name) + r"-\d{6,}\.tar")
        ours = [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]
        newest_last = sorted(ours, key=lambda path: int(path.stem.rpartition("-")[2]))
        for old in newest_last[: -self.config.keep]:
            old.unlink()
