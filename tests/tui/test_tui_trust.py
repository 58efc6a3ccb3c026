"""What the screen says is true: after a suspension, without a daemon, behind hidden screens, and under many events."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import msgspec
import pytest

from nasd import protocol as p
from nasd.errors import NasdError
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, attached, press, queue, screen, settle, told, until
from tests.helpers.terminal import Grid
from tui import text
from tui.dialogs.job import JobDialog
from tui.dialogs.retrain import RetrainDialog
from tui.pace import LEAST, LONGEST, Pace
from tui.screens import JOBS, LOG, TRIAL
from tui.widgets.header import Header
from tui.widgets.logview import LogView
from tui.widgets.tabs import Tabs

ATTACH = "import sys, tui; from nasd.client import Target; from pathlib import Path; tui.run(Target(Path(sys.argv[1])))"
SIZE = (30, 100)


@pytest.fixture
def paused(folder: Path) -> FakeDaemon:
    """Nothing moves on the screen by itself."""
    daemon = FakeDaemon(folder / "run", World(700))
    daemon.world.state, daemon.world.activity = "paused", "paused"
    return daemon


# --- suspension ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _bare(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], FileIO]]:
    """The UI in a terminal of its own, which is nobody's session; the other end of the terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", ATTACH, str(directory)], stdin=slave, stdout=slave, stderr=slave, env=_environment(),
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    with FileIO(master, "r+") as end:
        try:
            yield process, end
        finally:
            process.kill()
            process.wait()


def test_a_bare_terminal_shows_the_same_after_ctrl_z_and_fg(paused: FakeDaemon) -> None:
    with paused.thread(), _bare(paused.directory) as (process, end):
        grid, master = Grid(SIZE[1], SIZE[0]), end.fileno()
        before = _when(grid, master, lambda shown: "Nothing is trained" in shown and "830 GiB" in shown)
        os.write(master, b"\x1a")
        _read(grid, master, lambda: _state(process.pid) == "T")
        grid.clear()  # what a shell does to the screen meanwhile
        os.kill(process.pid, signal.SIGCONT)
        assert _when(grid, master, lambda shown: shown == before, missing=before) == before


def test_it_ends_with_its_terminal_also_where_no_signal_says_so(paused: FakeDaemon) -> None:
    with paused.thread(), _bare(paused.directory) as (process, end):
        _when(Grid(SIZE[1], SIZE[0]), end.fileno(), lambda shown: "Nothing is trained" in shown)
        end.close()
        assert process.wait(60) == -signal.SIGHUP


def _environment() -> dict[str, str]:
    """Without the size of the terminal in which the tests run."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return {**kept, "TERM": "xterm-256color"}


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


def _read(grid: Grid, master: int, true: object, limit: float = 20.0) -> None:
    end = time.monotonic() + limit
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, grid.text()
        if select.select([master], [], [], 0.1)[0]:
            grid.feed(os.read(master, 1 << 20))


def _when(grid: Grid, master: int, true: object, limit: float = 20.0, missing: str = "") -> str:
    """The screen, once it fulfils `true` and nothing more comes."""
    end = time.monotonic() + limit
    while True:
        if select.select([master], [], [], 0.3)[0]:
            grid.feed(os.read(master, 1 << 20))
        elif true(grid.text()):  # type: ignore[operator]
            return grid.text()
        assert time.monotonic() < end, f"{grid.text()}\n--- instead of ---\n{missing}"


# --- without a daemon ---------------------------------------------------------------------------------------------


async def test_a_daemon_that_was_stopped_is_not_seen_stopping_for_ever(daemon: FakeDaemon) -> None:
    clock = Clock()
    async with attached(daemon, (120, 30), clock) as (app, _):
        daemon.turn("stopping", "stopping")
        await until(lambda: "stopping" in screen(app).splitlines()[0])
        await daemon.stop()
        await until(lambda: app.link.condition == "lost")
        clock.now += 14
        app.query_one(Header).renew()
        await until(lambda: "stopped 14 s ago" in screen(app).splitlines()[0])


async def test_a_daemon_that_is_gone_is_not_running(daemon: FakeDaemon) -> None:
    clock = Clock()
    async with attached(daemon, (120, 30), clock) as (app, pilot):
        assert "● running" in screen(app)
        await daemon.stop()
        await until(lambda: app.link.condition == "lost")
        clock.now += 14
        await settle(pilot)
        await until(lambda: "Trying again" in screen(app))
        app.query_one(Header).renew()
        await settle(pilot)
        head = screen(app).splitlines()[0]
        assert "last seen running, 14 s ago" in head
        assert "ETA" not in head
        assert "● running" not in screen(app)
        assert app.has_class("-old"), "what is old looks old"
        assert "nasd start fashion-mnist" in " ".join(screen(app).split())
        sentence = "Trying again"
        for key in "12345678":
            await press(pilot, key)
            assert screen(app).count(sentence) == 1, key
        for method in ("pause", "resume", "checkpoint"):
            assert not app.check_action("ask", (method,)), method
        for action in ("stop", "export", "retrain_net"):
            assert not app.check_action(action, ()), action
        assert app.check_action("start", ())
        bar = screen(app).splitlines()[-1]
        assert "pause" not in bar
        assert "start" in bar


async def test_overview_catches_up_with_what_it_missed_while_hidden(folder: Path) -> None:
    daemon = FakeDaemon(folder / "new", World(0))
    await daemon.start()
    async with attached(daemon, (160, 48)) as (app, pilot):
        assert "Starts with the first trial" in screen(app)
        await press(pilot, "2")
        for _ in range(30):
            daemon.finish_trial()
        await until(lambda: app.link.status and app.link.status.progress.trials == 30)
        await daemon.stop()
        await until(lambda: app.link.condition == "lost")
        await press(pilot, "1")
        shown = screen(app)
        assert "loading" not in shown
        assert sum(0x2800 < ord(character) < 0x2900 for character in shown) > 20, "the rewards are drawn"


# --- calm ---------------------------------------------------------------------------------------------------------


async def test_a_hundred_events_are_one_drawing(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, pilot):
        overview, drawn = app._panes[0], []
        original = overview.draw
        overview.draw = lambda: (drawn.append(1), original())  # type: ignore[method-assign]
        for _ in range(100):
            daemon.epoch()
        await until(lambda: app.link.status.workers[0].epoch == daemon.world.epoch)
        await until(lambda: not app._news)
        assert 1 <= len(drawn) <= 4
        await until(lambda: f"epoch {daemon.world.epoch}/70" in screen(app))
        await settle(pilot)


def test_pace_is_ten_a_second_and_slower_where_drawing_is_dear() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.wait() == 0, "the first one at once"
    pace.drawn(0.001)
    assert pace.wait() == pytest.approx(LEAST)
    clock.now += 5
    assert pace.wait() == 0
    pace.drawn(0.012)
    assert pace.wait() == pytest.approx(0.4)
    pace.drawn(5)
    assert pace.wait() == pytest.approx(LONGEST)


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (250, 80)])
async def test_shares_are_never_cut(folder: Path, size: tuple[int, int]) -> None:
    daemon = FakeDaemon(folder / "run", World(1960))
    await daemon.start()
    async with attached(daemon, size) as (app, _):
        lines = list(map(str.rstrip, app.query_one("#machine")._text().plain.split("\n")))  # type: ignore[attr-defined]
        assert [line for line in lines if len(line) > app.query_one("#machine").content_size.width] == []
        assert lines[0].startswith("disk")
        assert "free" in lines[0]
        if size[1] >= 40:
            assert sum(line.endswith("%") for line in lines) >= 5
    await daemon.stop()


@pytest.mark.parametrize(("size", "shown", "hidden"), [((160, 48), 8, 0), ((120, 40), 8, 0), ((80, 24), 1, 7)])
async def test_eight_devices_leave_room_for_the_rest(
    folder: Path, size: tuple[int, int], shown: int, hidden: int
) -> None:
    daemon = FakeDaemon(folder / "run", World(1960))
    one = daemon.world.machine()
    eight = tuple(msgspec.structs.replace(one.devices[0], name=f"cuda:{number}") for number in range(8))
    daemon.world.machine = lambda: msgspec.structs.replace(one, devices=eight)  # type: ignore[method-assign]
    await daemon.start()
    async with attached(daemon, size) as (app, _):
        text_ = app.query_one("#machine")._text().plain  # type: ignore[attr-defined]
        assert text_.count("cuda:") == shown
        assert text_.startswith("disk")
        assert (f"+{hidden} more devices" in text_) == bool(hidden)
        if not hidden:
            assert "jobs" in text_
            assert "duplicate" in text_
    await daemon.stop()


async def test_a_finished_search_has_nothing_to_come(folder: Path) -> None:
    world = World(20)
    world.stages = [("e=1", len(world.rewards)), ("e=0", 3)]
    daemon = FakeDaemon(folder / "run", world)
    await daemon.start()
    async with attached(daemon, (160, 48)) as (app, _):
        assert "3 trials to come" in screen(app)
        world.stages = [("e=1", len(world.rewards)), ("e=0", 0)]
        world.state = "finished"
        daemon.send(p.TrialFinished, row=world.rows[-1], progress=world.progress(), best=tuple(world.best))
        daemon.turn("finished", "finished")
        await until(lambda: "search complete" in screen(app))
        assert "to come" not in screen(app)
    await daemon.stop()


def test_times_under_a_second_are_told_apart() -> None:
    assert [text.duration(seconds) for seconds in (0.0, 0.043, 0.43, 4.26, 43.0)] == [
        "0 s", "0.043 s", "0.43 s", "4.3 s", "43 s",
    ]  # fmt: skip
    assert [text.short_duration(seconds) for seconds in (0.043, 0.43, 4.3, 43)] == ["43ms", "0.43s", "4.3s", "43s"]


async def test_repeats_say_how_many_are_left_out(daemon: FakeDaemon) -> None:
    detail = daemon.world.detail(5)
    many = msgspec.structs.replace(detail, duplicates=tuple(range(600, 620)), repeats=57)
    daemon.world.detail = lambda number: many  # type: ignore[method-assign]
    async with attached(daemon, (80, 40)) as (app, pilot):
        await press(pilot, "3")
        line = next(line for line in screen(app).splitlines() if "repeats" in line)
        shown = line.count(", ") + 1
        assert f"and {57 - shown} more" in line


async def test_the_logs_scroll_bar_stands_at_the_end_when_it_is_opened(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, pilot):
        await press(pilot, "6")
        view = app.query_one(LogView)
        bar = view.vertical_scrollbar
        assert app.query_one(Tabs).current == LOG
        assert view.max_scroll_y > 0
        assert view.scroll_y == view.max_scroll_y
        assert bar.position == view.max_scroll_y
        assert bar.window_virtual_size == len(view._lines)
        last = [line[-1] for line in screen(app).splitlines()[3:-1]]
        assert last[-1] != " " or view.show_vertical_scrollbar


async def test_the_end_has_a_time_of_day(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, _):
        end = text.moment(app.link.now + app.link.status.progress.eta_seconds, app.link.now)
        assert f", at {end}" in screen(app)
        assert end in screen(app).splitlines()[0]


# --- dialogs and what is said -------------------------------------------------------------------------------------


async def test_enter_opens_a_job_with_each_repeat(daemon: FakeDaemon) -> None:
    queue(daemon, "done")
    repeats = [{"reward": 0.8, "best_validation": 0.81, "test_accuracy": 0.79, "seconds": 12.0},
               {"reward": 0.9, "best_validation": 0.91, "test_accuracy": 0.89, "seconds": 14.0}]  # fmt: skip
    daemon.world.jobs = [
        msgspec.structs.replace(daemon.world.jobs[0], result={"repeats": repeats}, reward=0.84, trial=17)
    ]
    async with attached(daemon, (100, 30)) as (app, pilot):
        await press(pilot, "5", "enter")
        assert isinstance(app.screen, JobDialog)
        shown = screen(app)
        for part in ("80.00", "90.00", "85.00", "7.07", "+1.00"):
            assert part in shown
        await press(pilot, "t")
        assert app.query_one(Tabs).current == TRIAL
        await until(lambda: "trial 17" in screen(app))
        await press(pilot, str(JOBS + 1))


async def test_the_retrain_dialog_stays_until_the_daemon_has_taken_the_job(daemon: FakeDaemon) -> None:
    taken = daemon.do_queue_job

    def refuse(params: p.QueueJobParams) -> p.JobRow:
        raise NasdError("repeats times epochs must be between 1 and 200000, not 300000")

    daemon.methods._handlers["queue_job"] = refuse
    async with attached(daemon, (100, 30)) as (app, pilot):
        await press(pilot, "2", "r", "enter")
        assert isinstance(app.screen, RetrainDialog)
        assert "200000, not" in screen(app)
        daemon.methods._handlers["queue_job"] = taken
        await press(pilot, "enter")
        assert not isinstance(app.screen, RetrainDialog)
        assert "queued: retrain trial" in told(app)


async def test_what_is_said_covers_nothing_and_is_one_at_a_time(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, pilot):
        before = screen(app).splitlines()
        app.notify("first")
        app.notify("second")
        await settle(pilot)
        after = screen(app).splitlines()
        assert after[:-1] == before[:-1]
        assert "second" in after[-1]
        assert "first" not in after[-1]
        assert not app.query("Toast")
