"""Start a run's daemon where the run is: by `nasd start`, here or through SSH."""

import asyncio

from nasd.client.target import Target
from nasd.errors import NasdError

TIME = 90.0
"""Seconds that it may take."""


async def start(target: Target) -> None:
    """Start the daemon, and wait until it answers.

    Raises:
        NasdError: It does not; the message is what `nasd start` said.
    """
    process = await asyncio.create_subprocess_exec(
        *target.nasd(["start"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in the UI's terminal is not for it
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), TIME)
    except TimeoutError as error:
        process.kill()
        raise NasdError(f"`nasd start` has not ended for {TIME:g} s") from error
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise NasdError(lines[-1].removeprefix("nasd: ") if lines else "`nasd start` failed and said nothing")
