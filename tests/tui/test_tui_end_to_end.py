"""A day of a user's, in a real terminal: attach, pause, look, see the daemon die and come back, detach."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasd.client import Client
from nasd.protocol import TrialsParams
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
    time.sleep(1)  # in which it would evaluate some more
    assert box.trials() == held
    box.press("p")
    box.until(lambda shown: "● running" in shown and counted(shown) > held, "resumed")

    # open the best trial, which was evaluated; where it is deep, its curves lie below
    box.press("2")
    box.until(lambda shown: re.search(r"\d+ trials", shown) and "SM(10)" in shown, "the list")
    box.press("s")
    box.until(lambda shown: re.search(r"\d+ architectures", shown) and "SM(10)" in shown, "the list by reward")
    box.press("Enter")
    box.until(lambda shown: "classifier" in shown and re.search(r"rank +\d+(st|nd|rd) of", shown), "a trial")

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


def _starred(box: Box) -> int:
    with Client.connect(box.target) as client:
        found: int = client.call("trials", TrialsParams(where="star:yes")).total
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_a_stopped_run_to_its_best_trial(box: Box) -> None:
    box.start()
    end = time.monotonic() + 120
    while box.trials() < 6:
        assert time.monotonic() < end
        time.sleep(0.2)
    box.nasd("stop", "e2e")

    # a run without a daemon opens all the same; from there its daemon is started
    box.attach_from_a_shell()
    box.until(lambda shown: "no daemon" in shown and re.search(r"trials \d", shown), "the files", 120)
    box.press("X")
    box.until(lambda shown: "Start a daemon for" in shown, "asked once more")
    box.press("y")
    box.until(lambda shown: "● live" in shown and "● running" in shown, "its daemon", 120)

    # the best trial, by a command
    box.press(":")
    box.until(lambda shown: "Search for commands" in shown or "Overview  (1)" in shown, "the commands")
    box.press("best")
    box.until(lambda shown: "Show the best trial" in shown, "the command")
    box.press("Enter")
    box.until(lambda shown: "learning curves" in shown and "1st of" in shown, "the best trial")

    # a filter, two rows of it side by side, a star
    box.press("2")
    box.until(lambda shown: re.search(r"\d+ trials", shown) and "SM(10)" in shown, "the list")
    box.press("/")
    box.press("status:evaluated")
    box.until(lambda shown: "status:evaluated" in shown and "status: evaluated, early_stopped" in shown, "the filter")
    box.press("Enter")
    box.until(lambda shown: "f status" in shown.splitlines()[-1], "the keys of the list")
    box.press("Down", "Space", "Space")  # not the first row, which follows the newest
    box.until(lambda shown: "2 marked" in shown, "two marks")
    box.press("c")
    box.until(lambda shown: "layer" in shown and "esc" in shown.lower(), "the comparison")
    box.press("Escape")
    box.until(lambda shown: "2 marked" in shown, "the list again")
    box.press("*")
    box.until(lambda _: _starred(box) == 2, "two stars")

    # suspended and resumed
    before = box.until(lambda shown: "2 marked" in shown, "the list")
    box.press("C-z")
    box.until(lambda shown: "prompt>" in shown.rstrip().splitlines()[-1], "the shell")
    box.press("fg", "Enter")
    shown = box.until(lambda shown: "2 marked" in shown and "SM(10)" in shown and "detach" in shown, "the same screen")
    assert before.splitlines()[1] == shown.splitlines()[1], "the tabs"
    box.press("q")
    box.until(lambda shown: "prompt>" in shown.rstrip().splitlines()[-1], "the shell")
