"""What is told to a person who looks elsewhere."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from nasd import protocol as p
from nasd.client import Target
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, attached, screen, settle, told, until
from tui.alerts import BEST_AGAIN, Alerts
from tui.link import Change, Link, Renewed


class Heard:
    """Alerts over a link whose status is set by hand."""

    def __init__(self, world: World, **environment: str) -> None:
        self.world, self.clock, self.written = world, Clock(), list[str]()
        self.link = Link(Target(), lambda _: None, self.clock)
        self.link.condition = "live"
        self.alerts = Alerts(self.link, self.written.append, environment, self.clock)

    def take(self, *news: Change, loud: bool = True) -> list[str]:
        self.link.status = self.world.status("/run")
        self.written.clear()
        return [alert.text for alert in self.alerts.take(news, loud=loud)]

    def finish(self, reward: float) -> p.TrialFinished:
        row = msgspec.structs.replace(self.world.finish(), status="evaluated", reward=reward, counted=True)
        self.world.rows[-1] = row
        self.world.best = sorted([*self.world.best, row], key=lambda one: -one.reward)[:5]
        return p.TrialFinished(seq=1, time=0, row=row, progress=self.world.progress(), best=tuple(self.world.best))


@pytest.fixture
def heard() -> Heard:
    made = Heard(World(200), TERM="xterm-256color")
    made.world.problems = ("an old one",)
    assert made.take(Renewed()) == [], "what was there is no news"
    return made


def event() -> p.StateChanged:
    return p.StateChanged(seq=1, time=0, state="running", activity="", problems=())


def test_the_end_is_told_once(heard: Heard) -> None:
    heard.world.state = "finished"
    assert heard.take(event()) == ["the search is finished"]
    assert "\a" in heard.written
    assert "\x1b]9;fashion-mnist: the search is finished\a" in heard.written
    assert heard.take(event()) == []


def test_a_new_problem_is_told_and_an_old_one_is_not(heard: Heard) -> None:
    heard.world.problems = ("an old one", "the disk is \x1b]0;full")
    assert heard.take(event()) == ["the disk is \x1b]0;full"]
    (notification,) = [one for one in heard.written if one.startswith("\x1b]9")]
    assert notification.count("\x1b") == 1, "what the daemon says is no escape sequence"
    assert heard.take(event()) == []
    heard.world.problems = ()
    assert heard.take(event()) == []
    heard.world.problems = ("an old one",)
    assert heard.take(event()) == ["an old one"], "it is back"


def test_a_new_best_is_told_without_a_bell_and_not_too_often(heard: Heard) -> None:
    first = heard.finish(0.981)
    assert heard.take(first) == [f"new best 98.10 %, trial {first.row.number}"]
    assert "\a" not in heard.written
    assert heard.take(heard.finish(0.5)) == []
    assert heard.take(heard.finish(0.982)) == []
    heard.clock.now += BEST_AGAIN
    assert len(heard.take(heard.finish(0.983))) == 1


def test_early_on_every_other_trial_is_the_best(heard: Heard) -> None:
    early = Heard(World(3))
    early.take(Renewed())
    assert early.take(early.finish(0.99)) == []


def test_trials_that_fail_are_told_when_it_begins(heard: Heard) -> None:
    def fail() -> None:
        row = heard.world.finish()
        heard.world.rows[-1] = msgspec.structs.replace(row, status="failed", reason="out of memory")

    for _ in range(3):
        fail()
    (said,) = heard.take(event())
    assert said.endswith(f"trials failed; the newest, trial {len(heard.world.rows)}: out of memory")
    fail()
    assert heard.take(event()) == []


def test_who_wants_quiet_gets_the_title_alone(heard: Heard) -> None:
    heard.world.state = "finished"
    assert heard.take(event(), loud=False) == ["the search is finished"]
    assert [one for one in heard.written if not one.startswith("\x1b]0;")] == []


def test_the_title_has_the_share_and_the_state(heard: Heard) -> None:
    titled = Heard(World(200))
    titled.take(Renewed())
    progress = titled.world.progress()
    assert progress.total is not None
    assert titled.written == [f"\x1b]0;fashion-mnist: {100 * progress.counted // progress.total} % running\a"]
    titled.take(event())
    assert titled.written == [], "nothing is written anew that reads the same"
    titled.link.condition = "lost"
    titled.take(event())
    assert titled.written[0].endswith("not live\a")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "foot"}, "\x1b]777;notify;nasd fashion-mnist;the search is finished\a"),
        ({"TERM": "xterm", "VTE_VERSION": "7600"}, "\x1b]777;notify;nasd fashion-mnist;the search is finished\a"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x,1,0"},
         "\x1bPtmux;\x1b\x1b]9;fashion-mnist: the search is finished\a\x1b\\"),
    ],
)  # fmt: skip
def test_each_terminal_hears_the_sequence_that_it_knows(environment: dict[str, str], expected: str) -> None:
    heard = Heard(World(200), **environment)
    heard.take(Renewed())
    heard.world.state = "finished"
    heard.take(event())
    assert expected in heard.written


async def test_the_app_says_it_on_the_screen_too(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    async with attached(daemon) as (app, _):
        written: list[str] = []
        monkeypatch.setattr(app, "_write", written.append)
        monkeypatch.setattr(app._alerts, "_write", written.append)
        daemon.turn("finished", "the search is finished")
        await until(lambda: told(app) == "the search is finished")
        assert any(one.startswith("\x1b]0;") and "finished" in one for one in written)
        app.use_alerts(False)
        assert not app.settings.alerts
        written.clear()
        daemon.turn("paused", "waiting", ("the disk is full",))
        await until(lambda: "the disk is full" in screen(app))
        assert "\a" not in written


async def test_many_failed_trials_stand_below_the_header(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    async with attached(daemon) as (app, pilot):
        finish: Callable[..., Any] = daemon.world.finish

        def failing(net: Any = None) -> p.TrialRow:
            row = msgspec.structs.replace(finish(net), status="failed", reason="CUDA error: an illegal memory access")
            daemon.world.rows[-1] = row
            return row

        monkeypatch.setattr(daemon.world, "finish", failing)
        for _ in range(3):
            daemon.finish_trial()
        await until(lambda: "trials failed; the newest" in screen(app))
        await settle(pilot)
        assert "CUDA error" in screen(app)
