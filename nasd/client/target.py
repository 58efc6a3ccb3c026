"""Which daemon is meant: one on this box, or one behind SSH."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from nasd import paths
from nasd.errors import NasdError

_REMOTE = re.compile(r"^(?P<host>[^/:\s]+):(?P<run>.*)$")


@dataclass(frozen=True)
class Target:
    """A run on this box (`directory`), or on `host` (`run` there; empty if it has only one)."""

    directory: Path | None = None
    host: str | None = None
    run: str = ""

    @classmethod
    def parse(cls, text: str | None) -> "Target":
        """`RUN`, a path, `user@host:RUN`, `host:` or None (the only run here).

        Raises:
            NasdError: There is no such run here, or the host could be taken for an option of ssh.
        """
        remote = _REMOTE.match(text) if text and not text.startswith(("/", ".", "~")) else None
        if remote is None:
            return cls(directory=paths.find_run(text))
        if remote["host"].startswith("-"):
            raise NasdError(f"{remote['host']!r} is no host name: give user@host:RUN")
        return cls(host=remote["host"], run=remote["run"])

    def sibling(self, directory: str) -> "Target":
        """Another run of the same box, by its directory there."""
        return Target(host=self.host, run=directory) if self.host else Target(directory=Path(directory))

    @property
    def socket(self) -> Path:
        """The socket's path on this box."""
        if self.directory is None:
            raise ValueError("a remote target has no socket here")
        return paths.socket_path(self.directory)

    @property
    def command(self) -> list[str]:
        """The command whose standard input and output carry the protocol, for a remote target.

        NASD_SSH replaces `ssh` (it may hold options), NASD_REMOTE_COMMAND the name of `nasd` over there.
        """
        if self.host is None:
            raise ValueError("a local target is reached through its socket")
        ssh = shlex.split(os.environ.get("NASD_SSH", "ssh"))
        remote = os.environ.get("NASD_REMOTE_COMMAND", "nasd")
        words = f"{remote} stdio" + (f" -- {shlex.quote(self.run)}" if self.run else "")
        # BatchMode: a password prompt would be drawn over the UI. ServerAlive: a dead link is noticed within 15 s.
        settings = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3")
        options = ["-T", *(word for setting in settings for word in ("-o", setting))]
        return [*ssh, *options, "--", self.host, words]

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.host}:{self.run}" if self.host else str(self.directory)
