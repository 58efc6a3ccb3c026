"""Commits that must not be lost: tried again for as long as the disk refuses."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from store import DamagedError, Delta, InvalidDeltaError, Run, StoreError

log = logging.getLogger("nasd.store")

RETRY = 5.0  # seconds between tries


T = TypeVar("T")


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
    await persist(partial(run.commit, delta), trouble)


async def persist(write: Callable[[], T], trouble: Callable[[str | None], None]) -> T:
    """Do what writes to the disk, as often as it takes.

    Args:
        write: Leaves everything as it was where it raises StoreError.
        trouble: As for `commit`.

    Raises:
        DamagedError: The database is damaged: waiting does not help.
        InvalidDeltaError: What is to be written contradicts what is stored.
    """
    while True:
        try:
            written = write()
        except (DamagedError, InvalidDeltaError):
            raise
        except StoreError as error:
            log.error("%s", error)
            trouble(str(error))
            await asyncio.sleep(RETRY)
        else:
            trouble(None)
            return written
