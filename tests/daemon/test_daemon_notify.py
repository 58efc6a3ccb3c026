"""The command that is told: by a real program, as a real daemon's child."""

import asyncio
import json
import logging
import sys

import pytest

from nasd.config import NotifyConfig
from nasd.daemon import alerts, notify
from nasd.daemon.alerts import Alerts, low_disk
from nasd.daemon.notify import Notifier
from nasd.failing import failing
from nasd.protocol import Machine, TrialRow
from tests.helpers.nasd_harness import living, make, soon, tell

WRITES = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


def writing(file, **settings):
    """A command that appends what it reads to a file."""
    return NotifyConfig(command=(sys.executable, "-c", WRITES, str(file)), **settings)


def events(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def test_a_daemon_tells_of_the_best_and_of_the_end(home, tmp_path):
    heard = tmp_path / "heard"
    directory = make(home, trials=8, notify=writing(heard, quiet=3600).model_dump())
    async with living(directory) as live:
        await live.state("finished")
    told = events(heard)
    assert [event["event"] for event in told].count("finished") == 1
    (end,) = (event for event in told if event["event"] == "finished")
    best = [event for event in told if event["event"] == "best"]
    assert 1 <= len(best) <= 2, "the first at once, and of all that waited the newest when the daemon ended"
    assert best[-1]["reward"] == end["reward"]
    assert best[-1]["net"] in best[-1]["text"]
    assert (end["run"], end["directory"]) == ("stub", str(directory))


async def test_a_daemon_tells_of_trials_that_fail(home, tmp_path):
    heard = tmp_path / "heard"
    directory = make(home, trials=8, notify=writing(heard, on=("problem",)).model_dump())
    tell(directory, trials=dict.fromkeys((1, 2, 3, 4), "raise"))
    async with living(directory) as live:
        await live.state("finished")
    (event,) = events(heard)
    assert event["text"].startswith("stub: 3 of the last 3 trials failed; the newest, trial 3: ")
    assert event["of"] == "trials"


async def test_of_what_waits_the_newest_is_told(tmp_path):
    heard = tmp_path / "heard"
    notifier = Notifier(writing(heard, quiet=3600), "it", tmp_path)
    for number in range(5):
        notifier.best(f"best {number}")
        await soon(lambda: events(heard), "the first one")
    assert [event["text"] for event in events(heard)] == ["it: best 0"]
    await notifier.close()
    assert [event["text"] for event in events(heard)] == ["it: best 0", "it: best 4"]


async def test_what_waited_is_told_when_it_is_quiet_no_more(tmp_path):
    heard = tmp_path / "heard"
    notifier = Notifier(writing(heard, quiet=0.2), "it", tmp_path)
    notifier.best("first")
    await soon(lambda: len(events(heard)) == 1, "the first one")
    notifier.best("second")
    await soon(lambda: len(events(heard)) == 2, "the second one")
    await notifier.close()


async def test_a_problem_is_told_once_until_it_is_gone(tmp_path):
    heard = tmp_path / "heard"
    notifier = Notifier(writing(heard, quiet=0.001), "it", tmp_path)
    for text in ("full", "full", None, "full", "fuller"):
        notifier.problem("disk", text)
        await soon(lambda: not notifier._waiting, "what waits")
    await notifier.close()
    assert [event["text"] for event in events(heard)] == ["it: full", "it: full", "it: fuller"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/no/such/program",), "cannot be run"),
        ((sys.executable, "-c", "import sys; sys.exit('no network')"), "failed with 1: no network"),
        ((sys.executable, "-c", "import time; time.sleep(600)"), "took longer than 0.5 s and was ended"),
        (("a\0b",), "cannot be run"),
    ],
)
async def test_a_command_that_fails_is_a_line_in_the_log(tmp_path, monkeypatch, caplog, command, said):
    monkeypatch.setattr(notify, "LIMIT", 0.5 if "sleep" in command[-1] else 30.0)
    notifier = Notifier(NotifyConfig(command=command), "it", tmp_path)
    with caplog.at_level(logging.WARNING, "nasd.notify"):
        notifier.finished("the end")
        await soon(notifier._running.done, "the command's end")
    assert said in caplog.text
    notifier.finished("again")  # the next one is told all the same
    await soon(notifier._running.done, "the command's end")
    assert caplog.text.count("notify.command") == 2


async def test_nobody_is_told_without_a_command_or_of_what_was_not_asked_for(tmp_path):
    notifier = Notifier(NotifyConfig(), "it", tmp_path)
    notifier.finished("the end")
    await notifier.close()
    heard = tmp_path / "heard"
    notifier = Notifier(writing(heard, on=("finished",)), "it", tmp_path)
    notifier.best("first")
    notifier.problem("disk", "full")
    await notifier.close()
    assert events(heard) == []


def row(number, status="evaluated", reason=None):
    return TrialRow(number=number, net="[SM(10)]", status=status, stage="e=1", reward=0.5, counted=True, reason=reason)


def test_many_of_the_last_trials_that_failed_are_said_with_the_newest_reason():
    good, bad = row(1), row(2, "failed", "out of memory")
    assert failing([]) is None
    assert failing([bad, good, bad, good]) is None
    assert failing([bad, good, bad, bad]) == "3 of the last 4 trials failed; the newest, trial 2: out of memory"
    assert failing([*[good] * 8, bad, bad, bad]) is None, "of the last ten only two"


async def test_a_full_disk_is_one_sentence_for_a_while():
    machine = {"cpu": 0.1, "memory_used": 1, "memory_total": 2, "disk_run": 3}
    said = [low_disk(Machine(disk_free=free, **machine)) for free in (alerts.LOW_DISK, 300_000_000, 299_000_000, 120)]
    assert said[0] is None
    assert said[1] == said[2] == "the disk of the run is nearly full: less than 300 MB are free"
    assert said[3] == "the disk of the run is nearly full: less than 100 MB are free"


async def test_the_very_first_trial_is_no_news(tmp_path):
    heard = tmp_path / "heard"
    news = Alerts(Notifier(writing(heard), "it", tmp_path), ())
    news.trial_finished(row(1), (row(1),))
    news.trial_finished(row(2), (row(2), row(1)))
    await asyncio.sleep(0)
    await news.close()
    (event,) = events(heard)
    assert event["trial"] == 2
