"""`python -m nasd.daemon DIRECTORY`: a run's daemon, in this process. `nasd start` and systemd call it."""

import asyncio
import sys
from pathlib import Path

from nasd.daemon.daemon import Daemon
from nasd.errors import NasdError, RunLockedError
from store import RunLockedError as StoreLockedError
from store import StoreError


async def _serve(directory: Path) -> int:
    return await Daemon(directory).serve()


def main(arguments: list[str]) -> int:
    """Serve until stopped; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("nasd: usage: python -m nasd.daemon DIRECTORY\n")
        return 2
    try:
        return asyncio.run(_serve(Path(arguments[0]).absolute()))
    except NasdError as error:
        sys.stderr.write(f"nasd: {error}\n")
        return error.exit_code
    except StoreError as error:
        sys.stderr.write(f"nasd: {error}\n")
        return RunLockedError.exit_code if isinstance(error, StoreLockedError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
