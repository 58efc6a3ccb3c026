"""`python -m nasd.daemon DIRECTORY`: a run's daemon, in this process. `nasd start` and systemd call it."""

import asyncio
import sys
from pathlib import Path

from nasd.daemon.daemon import Daemon
from nasd.errors import NasdError, RunGoneError, RunLockedError
from store import RunLockedError as StoreLockedError
from store import StoreError


async def _serve(directory: Path) -> int:
    return await Daemon(directory).serve()


def main(arguments: list[str]) -> int:
    """Serve until stopped; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("nasd: usage: python -m nasd.daemon DIRECTORY\n")
        return 2
    directory = Path(arguments[0]).absolute()
    try:
        # A home that is not there may be a disk that is not mounted yet: that is worth another try.
        if directory.parent.is_dir() and not directory.is_dir():
            raise RunGoneError(
                f"there is no run at {directory}: was it removed or moved? `nasd service list` shows units"
            )
        return asyncio.run(_serve(directory))
    except NasdError as error:
        sys.stderr.write(f"nasd: {error}\n")
        return error.exit_code
    except StoreError as error:
        sys.stderr.write(f"nasd: {error}\n")
        return RunLockedError.exit_code if isinstance(error, StoreLockedError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
