"""A day of a user's, in a real terminal: attach, pause, look, see the daemon die and come back, detach."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.terminal import Box, counted

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def box(folder: Path) -> Iterator[Box]:
    made = Box(folder)
    try:
        yield made
    finally:
        made.close()


def test_a_day_in_two_minutes(box: Box) -> None:
    box.start()
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
