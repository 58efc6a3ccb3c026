"""nasd: a daemon that runs neural architecture searches for days, crash-safe.

Importing this package is cheap on purpose: every client starts with it. `load_model` (see `nasd.export.loading`) brings
torch in when it is asked for.
"""

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "load_model":
        return importlib.import_module("nasd.export.loading").load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
