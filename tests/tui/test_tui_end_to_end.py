"""A real daemon on digits, the real command, in a real terminal (tmux)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nasd.client import Client, Target

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(300),
]


class Box:
    """A home of runs, a daemon in it, and a terminal."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "NASD_HOME": str(home), "TERM": "xterm-256color"}
        self.server = f"nasd-test-{os.getpid()}"
        self.target = Target(directory=home / "e2e")

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

    def attach(self) -> None:
        command = f"{sys.executable} -m nasd.cli attach e2e"
        self.tmux("new-session", "-d", "-x", "100", "-y", "30", "-c", str(ROOT), command)

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


@pytest.fixture
def box(folder: Path) -> Iterator[Box]:
    made = Box(folder)
    try:
        yield made
    finally:
        made.tmux("kill-server")
        try:
            os.kill(made.pid(), signal.SIGKILL)
        except Exception as error:  # noqa: BLE001 # it may be gone already
            print(error)  # noqa: T201


def counted(shown: str) -> int:
    found = re.search(r"trials (\d+)", shown)
    return int(found[1]) if found else -1


def test_a_day_in_two_minutes(box: Box) -> None:
    box.nasd(
        "start", str(ROOT / "configs" / "digits.yaml"), "--name", "e2e", "--set", "training.epochs=4",
        "--set", "training.early_stopping_epoch=3", "--set", "space.conv_features=[16, 32]",
        "--set", "search.epsilon_schedule=[[1.0, 5000]]",
    )  # fmt: skip
    box.attach()
    shown = box.until(lambda shown: "● live" in shown and "● running" in shown, "attached")

    # trials arrive by themselves
    before = max(0, counted(shown))
    box.until(lambda shown: counted(shown) >= before + 2, "more trials")

    # pause, resume
    box.press("p")
    shown = box.until(lambda shown: "‖ paused" in shown, "paused")
    held = box.trials()
    time.sleep(3)
    assert box.trials() == held
    box.press("p")
    box.until(lambda shown: "● running" in shown and counted(shown) > held, "resumed")

    # open a trial
    box.press("2")
    box.until(lambda shown: re.search(r"\d+ trials", shown) and "SM(10)" in shown, "the list")
    box.press("Enter")
    box.until(lambda shown: "architecture" in shown and "classifier" in shown and "learning curves" in shown, "a trial")

    # the daemon dies and comes back; the UI waits for it
    held = box.trials()
    os.kill(box.pid(), signal.SIGKILL)
    box.until(lambda shown: "reconnecting" in shown, "told that the daemon is away")
    assert "classifier" in box.screen(), "what was known stays readable"
    box.nasd("start", "e2e")
    box.until(lambda shown: "● live" in shown, "back")
    box.press("1")
    box.until(lambda shown: counted(shown) > held, "further trials after the kill")

    # detach; the search still runs
    box.press("q")
    end = time.monotonic() + 10
    while box.tmux("list-sessions"):
        assert time.monotonic() < end, box.screen()
        time.sleep(0.1)
    held = box.trials()
    end = time.monotonic() + 60
    while box.trials() <= held:
        assert time.monotonic() < end
        time.sleep(0.2)
