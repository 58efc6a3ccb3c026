"""The list of runs, against the fake daemon."""

from pathlib import Path

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import attached, press, screen, settle, told, until
from tui.screens import OVERVIEW, RUNS
from tui.widgets.tabs import Tabs


async def test_runs_attach_to_another(daemon: FakeDaemon, folder: Path) -> None:
    other = FakeDaemon(folder / "mnist", World(40, name="mnist"))
    await other.start()
    row = p.RunRow(
        name="mnist", directory=str(other.directory), state="running", trials=40, total=2503, best_reward=0.99,
        modified_at=0.0,
    )  # fmt: skip
    daemon.others = (
        row,
        p.RunRow(name="off", directory="/x/off", state="stopped", trials=1, total=2, best_reward=None, modified_at=0.0),
        p.RunRow(
            name="gone", directory="/x/gone", state="paused", trials=1, total=2, best_reward=None, modified_at=0.0
        ),
    )
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "7")
        assert "▶" in screen(app)
        await press(pilot, "enter")
        assert "the run you are attached to" in told(app)
        await press(pilot, "end", "enter")
        assert "gone is not attached" in told(app)
        assert app.link.live
        await press(pilot, "up", "enter")
        assert "off is not attached" in told(app)
        await press(pilot, "up", "enter")
        await until(lambda: app.link.status and app.link.status.name == "mnist")
        await settle(pilot)
        assert app.query_one(Tabs).current == OVERVIEW
        assert "mnist@gpu-box" in screen(app)
        await press(pilot, "2")
        assert "40 trials" in screen(app)
        assert RUNS not in app._panes
        await press(pilot, "7")
    await other.stop()
