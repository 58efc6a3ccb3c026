"""What a user chose in the UI, kept in the user's own folder. What cannot be kept is no reason to stop."""

import contextlib
import os
from typing import TYPE_CHECKING, cast

import msgspec

from nasd import paths
from nasd.errors import NasdError

if TYPE_CHECKING:
    from textual.app import App

    from tui.app import NasdApp

_FILE = "tui.json"


class Settings(msgspec.Struct, kw_only=True):
    """All of them."""

    theme: str = ""
    alerts: bool = True
    trial_columns: tuple[str, ...] | None = None  # of the screen Trials; None: as suits the width


def load() -> Settings:
    """As they were kept; without a readable file as they are at first."""
    try:
        return msgspec.json.decode((paths.config_folder() / _FILE).read_bytes(), type=Settings)
    except (OSError, NasdError, msgspec.DecodeError):
        return Settings()


def of(app: "App[object]") -> Settings:
    """Those that the running UI has."""
    return cast("NasdApp", app).settings


def save(settings: Settings) -> None:
    """Keep them, whole or not at all."""
    with contextlib.suppress(OSError, NasdError):
        file = paths.config_folder() / _FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(msgspec.json.encode(settings))
        part.replace(file)
