"""nasd: a daemon that runs neural architecture searches for days, crash-safe.

Importing this package is cheap on purpose: every client starts with it. `load_model` (see `nasd.export.loading`)
and `open` (see `nasd.runs.opened`) bring in what they need when they are asked for.
"""

import importlib
from typing import Any

from nasd.box import user

__version__ = "0.1.0"

user.settle()


def __getattr__(name: str) -> Any:
    place = {"load_model": ("nasd.export.loading", "load_model"), "open": ("nasd.runs.opened", "Opened")}.get(name)
    if place is not None:
        try:
            return getattr(importlib.import_module(place[0]), place[1])
        except ModuleNotFoundError as error:
            parts = importlib.import_module("nasd.parts")
            raise (parts.missing(error) or error) from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
