"""Which daemon is meant: one on this box, or one behind SSH."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nasd import paths
from nasd.client import ssh
from nasd.errors import NasdError

_REMOTE = re.compile(r"^(?P<host>[^/:\s]+):(?P<run>.*)$")


@dataclass(frozen=True)
class Target:
    """A run on this box (`directory`), or on `host` (`run` there; empty if it has only one).

    With `home` all runs of the box are meant, which only tells which there are.
    """

    directory: Path | None = None
    host: str | None = None
    run: str = ""
    home: bool = False

    @staticmethod
    def is_remote(text: str | None) -> bool:
        """Whether a person's words name a run on another box."""
        return text is not None and not text.startswith(("/", ".", "~")) and _REMOTE.match(text) is not None

    @classmethod
    def parse(cls, text: str | None) -> "Target":
        """`RUN`, a path, `user@host:RUN`, `host:` or None (the only run here).

        Raises:
            NasdError: There is no such run here, or the host could be taken for an option of ssh.
        """
        if text is None or not cls.is_remote(text):
            return cls(directory=paths.find_run(text))
        remote = _REMOTE.match(text)
        assert remote is not None
        if remote["host"].startswith("-"):
            raise NasdError(f"{remote['host']!r} is no host name: give user@host:RUN")
        return cls(host=remote["host"], run=remote["run"])

    def sibling(self, directory: str) -> "Target":
        """Another run of the same box, by its directory there."""
        return Target(host=self.host, run=directory) if self.host else Target(directory=Path(directory))

    @property
    def box(self) -> "Target":
        """All runs beside this one."""
        return Target(host=self.host, home=True)

    @property
    def socket(self) -> Path:
        """The socket's path on this box."""
        if self.directory is None:
            raise ValueError("a remote target has no socket here")
        return paths.socket_path(self.directory)

    def command(self, *, ask: bool = False, files: bool = False) -> list[str]:
        """The command whose standard input and output carry the protocol.

        Args:
            ask: Whether ssh may ask on the terminal.
            files: Whether the run's files are to be read where no daemon runs; else, and on this box, that is a
                failure: a daemon here is reached through its socket.
        """
        return self.nasd(["stdio", *(["--home"] if self.home else ["--files"] if files else [])], ask=ask)

    def nasd(self, words: list[str], *, ask: bool = False) -> list[str]:
        """`nasd WORDS RUN`, as a command for where the run is."""
        run = "" if self.home else self.run if self.host else str(self.directory)
        words = [*words, *(["--", run] if run else [])]
        if self.host is None:
            return [sys.executable, "-m", "nasd.cli", *words]
        return ssh.command(self.host, words, ask=ask)

    def __str__(self) -> str:
        """As a person writes it."""
        if self.home:
            return self.host or "this box"
        return f"{self.host}:{self.run}" if self.host else str(self.directory)
