"""ssh as a carrier: the command it runs on the other box, where our words begin there, and what to do where it fails.

It is the user's own ssh with the user's own settings: jump hosts, agents, `ControlMaster` and aliases work.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Any

from nasd import __version__, paths
from nasd.errors import ConfigError, NasdError, NotRunningError

MARKER = b"=== nasd speaks from here on ===\n"
"""Written by nasd over there before anything else. A shell's profile may print what it likes before it."""

MAX_BEFORE = 1 << 20  # bytes before the marker

_CAUSES: tuple[tuple[str, str], ...] = (  # what ssh or the shell over there says, and what to try
    (
        "identification has changed",
        "its key is another than the one known here; if that is right, run `ssh-keygen -R {host}`",
    ),
    (
        "host key verification failed|no .*host key is known",
        "its key is not known here: run `ssh {host}` once and answer its question",
    ),
    (
        r"permission denied \(|too many authentication failures",
        "it does not let this key in: try `ssh {host}`; a password or a key's passphrase needs an agent (`ssh-add`) "
        "or ControlMaster in ~/.ssh/config",
    ),
    (
        "could not resolve hostname",
        "there is no host of this name: look at its spelling, or name it in ~/.ssh/config",
    ),
    (
        "connection (refused|reset|closed by)|timed out|no route to host|network is unreachable",
        "it cannot be reached: is it up, and does `ssh {host}` work",
    ),
    (
        "no module named '?nasd",
        "the Python that is named for it has no nasd: name another one, {naming}",
    ),
    (
        "command not found|no such file or directory|: not found",
        "its shell does not find nasd, since what ssh runs has not the PATH of a login: say where nasd lies, {naming}",
    ),
    (
        ": permission denied",
        "what is named as nasd over there may not be run: name another one, {naming}",
    ),
)


def command(host: str, words: list[str], *, ask: bool = False) -> list[str]:
    """The command that runs `nasd WORDS` on `host`.

    NASD_SSH replaces `ssh` (it may hold options); NASD_REMOTE_COMMAND, or the hosts file, what nasd is called there.

    Args:
        host: As ssh takes it.
        words: Arguments of `nasd`.
        ask: Whether ssh may ask on the terminal for a password, or about a host's key.

    Raises:
        ConfigError: The hosts file cannot be used.
    """
    ssh = shlex.split(os.environ.get("NASD_SSH", "ssh"))
    # ServerAlive: a dead link is noticed within 15 s.
    settings = ["ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"]
    if not ask:  # a question would be drawn over the UI
        settings.append("BatchMode=yes")
    options = ["-T", *(word for setting in settings for word in ("-o", setting))]
    return [*ssh, *options, "--", host, f"{_remote_command(host)} {shlex.join(words)}"]


def failure(host: str | None, code: int | None, before: bytes, said: bytes) -> NasdError:
    """Why no marker came.

    Args:
        host: Where; None: on this box.
        code: ssh's exit code; None if it still ran.
        before: What came on standard output.
        said: What came on standard error.
    """
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith("nasd: "):
            said_here = line.removeprefix("nasd: ")
            return NotRunningError(f"{host}: {said_here}" if host else said_here)
    if host is None:
        return NotRunningError(lines[-1][:300] if lines else "nasd said nothing")
    naming = f"by NASD_REMOTE_COMMAND=/path/to/.venv/bin/nasd or in {_hosts_file()}"
    for line in reversed(lines):
        for pattern, advice in _CAUSES:
            if re.search(pattern, line, re.IGNORECASE):
                return NotRunningError(f"{host}: {advice.format(host=host, naming=naming)} (ssh says: {line[:300]})")
    shown = " ".join(before.decode(errors="replace").split())[:200]
    end = "has said nothing of nasd's yet" if code is None else f"ended with exit code {code} before nasd spoke"
    printed = f", after printing {shown!r}: does its shell's profile end or replace the shell" if shown else ""
    last = f" (ssh says: {lines[-1][:300]})" if lines else ""
    return NotRunningError(
        f"{host}: the command over there {end}{printed}; try "
        f"`ssh {host} {_remote_command(host)} --version`, here it is {__version__}{last}"
    )


def _remote_command(host: str) -> str:
    return os.environ.get("NASD_REMOTE_COMMAND") or _named(host) or "nasd"


def _hosts_file() -> Path:
    return paths.config_folder() / "hosts.yaml"


def _named(host: str) -> str | None:
    """How nasd is called on `host`, as the hosts file says, with or without the user's name."""
    file = _hosts_file()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    import yaml  # noqa: PLC0415 - only where there is such a file

    try:
        hosts: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    wrong = ConfigError(f"{file} must map hosts to commands, such as `box: {{command: /opt/nasd/.venv/bin/nasd}}`")
    if not isinstance(hosts, dict):
        raise wrong
    for name in (host, host.rpartition("@")[2]):
        if name in hosts:
            entry = hosts[name]
            if not (isinstance(entry, dict) and set(entry) == {"command"} and isinstance(entry["command"], str)):
                raise wrong
            return str(entry["command"])
    return None
