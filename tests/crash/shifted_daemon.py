"""The stub daemon under a clock that somebody sets: `clock` in the run's directory is added to the time.

shifted_daemon.py DIRECTORY [SECONDS of silence after which a stopped worker is taken for lost]
"""

import sys
import time
from pathlib import Path

from nasd.daemon import __main__ as entry
from tests.helpers import stub_daemon

_real = time.time


def _shifted() -> float:
    try:
        return _real() + float((Path(sys.argv[1]) / "clock").read_text() or 0)
    except OSError:
        return _real()


if __name__ == "__main__":
    from nasd.executors import worker

    time.time = _shifted
    worker.SILENCE = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    entry._serve = stub_daemon._serve
    sys.exit(entry.main(sys.argv[1:2]))
