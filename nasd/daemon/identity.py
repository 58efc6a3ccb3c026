"""The fingerprint of a run's data, for a run that was made before there were any."""

import asyncio
import logging
from collections.abc import Callable

from nasd import data as datasets
from nasd.config import Config
from nasd.daemon import committing
from nasd.errors import NasdError
from nasd.runs import data as run_data
from store import Delta, Run

log = logging.getLogger("nasd.daemon")


async def identify(run: Run, config: Config, trouble: Callable[[str | None], None]) -> None:
    """Give a run without a fingerprint that of its data as they are now; later starts compare it.

    Args:
        run: Open for writing.
        config: Its `data` section says where they lie.
        trouble: As for `committing.commit`.
    """
    if run_data.IDENTITY in run.flags():
        return
    try:
        identity = await asyncio.to_thread(datasets.fingerprint, config.data)
    except NasdError as error:
        log.warning("the data got no fingerprint: %s", error)
        return
    await committing.commit(run, Delta(flags={run_data.IDENTITY: identity.to_json()}), trouble)
    log.info(
        "the data got a fingerprint, which later starts compare: %d classes, %d %ss, sha256 %s",
        len(identity.classes), identity.count, identity.unit, identity.digest[:12],
    )  # fmt: skip
