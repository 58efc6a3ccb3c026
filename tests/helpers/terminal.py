"""A home of runs with a real daemon in it, the real command, and a real terminal (tmux)."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nasd.client import Client, Target
from nasd.errors import NasdError

ROOT = Path(__file__).resolve().parent.parent.parent


class Box:
    """A home of runs, a daemon in it, and a terminal."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "NASD_HOME": str(home), "TERM": "xterm-256color"}
        self.server = f"nasd-test-{os.getpid()}"
        self.target = Target(directory=home / "e2e")

    def start(self) -> None:
        """A search on digits that goes on for longer than any test."""
        self.nasd(
            "start", str(ROOT / "configs" / "digits.yaml"), "--name", "e2e", "--set", "training.epochs=4",
            "--set", "training.early_stopping_epoch=3", "--set", "space.conv_features=[16, 32]",
            "--set", "search.epsilon_schedule=[[1.0, 5000]]",
        )  # fmt: skip

    def close(self) -> None:
        self.tmux("kill-server")
        with contextlib.suppress(NasdError, ProcessLookupError):  # it may be gone already
            os.kill(self.pid(), signal.SIGKILL)

    def nasd(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nasd.cli", *words], env=self.environment, cwd=ROOT, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self.server, "-f", "/dev/null", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=20, check=False
        ).stdout

    def attach(self, target: str = "e2e") -> None:
        command = f"{sys.executable} -m nasd.cli attach {shlex.quote(target)}"
        self.tmux("new-session", "-d", "-x", "100", "-y", "30", "-c", str(ROOT), command)

    def attach_from_a_shell(self, target: str = "e2e") -> None:
        """The same, by a shell that can suspend it."""
        shell = "env PS1='prompt> ' bash --norc --noprofile -i"
        self.tmux("new-session", "-d", "-x", "120", "-y", "40", "-c", str(ROOT), shell)
        self.until(lambda shown: "prompt>" in shown, "a shell")
        self.press(f"{sys.executable} -m nasd.cli attach {shlex.quote(target)}", "Enter")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def until(self, true: Callable[[str], object], what: str, limit: float = 60.0) -> str:
        end = time.monotonic() + limit
        while not true(shown := self.screen()):
            assert time.monotonic() < end, f"never {what}:\n{shown}"
            time.sleep(0.1)
        return shown

    def trials(self) -> int:
        with Client.connect(self.target) as client:
            return client.status().progress.trials

    def pid(self) -> int:
        with Client.connect(self.target) as client:
            return client.hello.pid


class Grid:
    """What a terminal shows of the bytes that were written to it, as far as Textual uses them."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self.written = b""

    def feed(self, data: bytes) -> None:
        """More was written."""
        self.written += data

    def text(self) -> str:
        """Cursor positions, clearing and the other screen are followed; colours and modes are not."""
        cells, row, column = self._blank(), 0, 0
        for control, numbers, final, character in _TOKENS.findall(self.written.decode(errors="replace")):
            if final == "H":
                first, _, second = numbers.partition(";")
                row, column = int(first or 1) - 1, int(second or 1) - 1
            elif control and (final == "J" or (final in "hl" and "1049" in numbers)):
                cells, row, column = self._blank(), 0, 0
            elif character == "\n":
                row, column = min(row + 1, self.height - 1), 0
            elif character == "\r":
                column = 0
            elif character.isprintable() and character:
                if row < self.height and column < self.width:
                    cells[row][column] = character
                column += 1
        return "\n".join("".join(line).rstrip() for line in cells)

    def _blank(self) -> list[list[str]]:
        return [[" "] * self.width for _ in range(self.height)]


_TOKENS = re.compile(r"(\x1b\[[<>=?]?([0-9;]*)[ $]?([A-Za-z@`~])|\x1b[^\[].?)|([^\x1b])", re.DOTALL)


def counted(shown: str) -> int:
    found = re.search(r"trials (\d+)", shown)
    return int(found[1]) if found else -1
