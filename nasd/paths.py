"""Where runs live, and which one is meant. Cheap to import."""

import os
from pathlib import Path

from nasd.errors import NasdError

SOCKET_NAME = "daemon.sock"
DATABASE_NAME = "run.db"
MAX_SOCKET_PATH = 107  # bytes; sockaddr_un holds 108 with the terminating zero


def home() -> Path:
    """The folder of all runs: $NASD_HOME, else `~/.local/share/nasd` (or what XDG_DATA_HOME says)."""
    given = os.environ.get("NASD_HOME")
    if given:
        return _expanded(given)
    return _user_folder("XDG_DATA_HOME", ".local/share", "NASD_HOME") / "nasd"


def config_folder() -> Path:
    """The user's settings of nasd as a whole: `~/.config/nasd` (or what XDG_CONFIG_HOME says)."""
    return _user_folder("XDG_CONFIG_HOME", ".config", "XDG_CONFIG_HOME") / "nasd"


def runs(folder: Path | None = None) -> list[Path]:
    """Every run directory under `folder` (the home), by name."""
    folder = folder or home()
    try:
        return sorted(path for path in folder.iterdir() if (path / DATABASE_NAME).is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []


def find_run(run: str | None) -> Path:
    """The directory of `run`: a name under the home, or a path (anything with a slash); None if there is only one.

    Raises:
        NasdError: There is no such run, or None was given and there are several; the message lists them.
    """
    if run is not None:
        path = _expanded(run) if "/" in run or run in (".", "..") else home() / run
        if (path / DATABASE_NAME).is_file():
            return path
        known = [p.name for p in runs()]
        there = f"; runs in {home()}: {', '.join(known)}" if known else f"; there are no runs in {home()}"
        raise NasdError(f"no run at {path}{there}")
    found = runs()
    if len(found) == 1:
        return found[0]
    if not found:
        raise NasdError(f"there are no runs in {home()}: start one with `nasd start CONFIG`")
    running = [path for path in found if (path / SOCKET_NAME).exists()]
    if len(running) == 1:
        return running[0]
    raise NasdError(f"there are {len(found)} runs in {home()}, name one: {', '.join(p.name for p in found)}")


def _user_folder(variable: str, place: str, way_out: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given)
    try:
        return Path.home() / place
    except RuntimeError as error:  # no HOME, and user {os.getuid()} is not in the list of users
        raise NasdError(f"user {os.getuid()} has no home folder here: set {way_out} to a folder") from error


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:  # `~name` of nobody
        raise NasdError(f"{path}: there is no such user here") from error


def socket_path(directory: Path) -> Path:
    """The socket of a run's daemon.

    Raises:
        NasdError: The path is longer than a Unix socket's may be.
    """
    path = directory / SOCKET_NAME
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH:
        raise NasdError(
            f"the socket path {path} has {length} bytes, a Unix socket takes {MAX_SOCKET_PATH}: "
            "move the run to a shorter path, or set NASD_HOME to one"
        )
    return path
