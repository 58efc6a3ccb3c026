"""The daemon's entry with the stub worker: `stub_daemon.py DIRECTORY [{"committing.RETRY": 0.1}]`."""

import importlib
import json
import os
import sys
from pathlib import Path

from nasd.box import devices
from nasd.daemon import __main__ as entry
from nasd.daemon.daemon import Daemon

WORKER = (sys.executable, str(Path(__file__).with_name("stub_worker.py")))


async def _serve(directory: Path) -> int:
    return await Daemon(directory, worker_command=WORKER).serve()


if __name__ == "__main__":
    if (gpus := os.environ.get("STUB_GPUS")) is not None:
        devices._driver_gpus = lambda: int(gpus)
    for name, value in json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}").items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(f"nasd.daemon.{module}"), constant, value)
    entry._serve = _serve
    sys.exit(entry.main(sys.argv[1:2]))
