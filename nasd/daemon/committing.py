"""Commits that must not be lost: tried again for as long as the disk refuses."""

import asyncio
import logging
from collections.abc import Callable

from store import DamagedError, Delta, InvalidDeltaError, Run, StoreError

log = logging.getLogger("nasd.store")

RETRY = 5.0  # seconds between tries


async def commit(run: Run, delta: Delta, trouble: Callable[[str | None], None]) -> None:
    """Commit, however long the disk is full, read-only, or held by another program.

    Args:
        run: Open for writing.
        delta: What to write.
        trouble: Told what is in the way, and None once nothing is.

    Raises:
        DamagedError: The database is damaged: waiting does not help.
        InvalidDeltaError: The delta contradicts what is stored.
    """
    while True:
        try:
            run.commit(delta)
        except (DamagedError, InvalidDeltaError):
            raise
        except StoreError as error:
            log.error("%s", error)
            trouble(str(error))
            await asyncio.sleep(RETRY)
        else:
            trouble(None)
            return
