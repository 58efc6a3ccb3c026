"""`nasd set` of a run whose daemon is at it: changed between two steps, without a stop."""

import asyncio
import logging
from typing import Any

from nasd import config as configuration
from nasd.config import Config
from nasd.daemon.backups import Backups
from nasd.daemon.quota import Quota
from nasd.daemon.scheduler import Scheduler
from nasd.executors.base import Executor
from nasd.runs import changeable, data
from nasd.runs.changing import Prepared, prepare
from store import Run

log = logging.getLogger("nasd.daemon")


class Changing:
    """Changes the config that a daemon goes by.

    Attributes:
        config: The one that holds, with the folder where the data lie.
    """

    def __init__(
        self, run: Run, config: Config, scheduler: Scheduler, executor: Executor, quota: Quota, backups: Backups
    ) -> None:
        self.config = config
        self._run, self._scheduler, self._executor = run, scheduler, executor
        self._quota, self._backups = quota, backups

    async def change(self, settings: tuple[str, ...]) -> tuple[str, ...]:
        """Go on under another config.

        Returns:
            A line for each key: what it was, what it is, and since when.

        Raises:
            ConfigError: As `nasd.runs.changing.prepare`.
            StoreError: The disk refuses; nothing is changed.
        """
        prepared = await self._scheduler.change(lambda: asyncio.to_thread(self._prepare, settings))
        if prepared is None:
            return ()
        root = self.config.data.root
        self.config = data.with_root(prepared.config, root) if root else prepared.config
        self._quota.limit, self._backups.config = self.config.store.disk_quota, self.config.snapshots
        self._quota.keep()
        workers = any(map(changeable.concerns_workers, prepared.keys))
        renewed = await self._executor.renew(self.config, configuration.dump(self.config), workers=workers)
        lines = tuple(
            _line(key, *values, later=changeable.waits_for_a_start(key) or _waits(key, renewed=renewed))
            for key, values in prepared.keys.items()
        )
        for line in lines:
            log.info("set: %s", line)
        return (*lines, *self._hints(prepared), *prepared.notes)

    def _prepare(self, settings: tuple[str, ...]) -> Prepared | None:
        with Run.open(self._run.path) as reading:  # a connection of its own: what was learned may take seconds to read
            return prepare(reading, settings)

    def _hints(self, prepared: Prepared) -> tuple[str, ...]:
        workers, lookahead = self._executor.capacity, self._scheduler.lookahead
        if not any(map(changeable.concerns_workers, prepared.keys)) or workers <= lookahead:
            return ()
        return (
            f"search.lookahead is {lookahead}: no more trials than that are under way, whatever there is of workers",
        )


def _waits(key: str, *, renewed: bool) -> bool:
    return not renewed and changeable.concerns_workers(key)


def _line(key: str, before: Any, now: Any, *, later: bool) -> str:
    return f"{key}: {before} before, {now} from {'the next start' if later else 'now'} on"
