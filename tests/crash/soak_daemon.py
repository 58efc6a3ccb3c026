"""The stub daemon, that writes down how long its commits take: `commits` in the run's directory, a number a line."""

import sys
import time
from pathlib import Path

from nasd.daemon import __main__ as entry
from store import Run
from tests.helpers import stub_daemon

if __name__ == "__main__":
    commit, times = Run.commit, (Path(sys.argv[1]) / "commits").open("a", buffering=1)

    def timed(run, delta):
        began = time.perf_counter()
        done = commit(run, delta)
        if delta.trial is not None:
            times.write(f"{time.perf_counter() - began:.6f}\n")
        return done

    Run.commit = timed
    entry._serve = stub_daemon._serve
    sys.exit(entry.main(sys.argv[1:2]))
