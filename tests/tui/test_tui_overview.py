"""The overview, the connection and what is shown without trials, against the fake daemon."""

from pathlib import Path

import pytest

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, attached, press, screen, settle, until
from tui.screens import TRIAL
from tui.widgets.header import Header
from tui.widgets.tabs import Tabs

# --- the connection ---------------------------------------------------------------------------------------------------


async def test_stalled_data_shows_its_age(daemon: FakeDaemon) -> None:
    clock = Clock()
    async with attached(daemon, (80, 24), clock) as (app, pilot):
        clock.now += 12
        app.query_one(Header).renew()
        await pilot.pause()
        assert "▲ 12 s old" in screen(app).splitlines()[0]
        assert "live" not in screen(app).splitlines()[0]
        daemon.heartbeat()
        await until(lambda: app.link.live)
        await settle(pilot)
        assert "● live" in screen(app).splitlines()[0]


async def test_restart_is_told_and_survived(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, pilot):
        await press(pilot, "2", "down", "down")
        await daemon.stop()
        await until(lambda: app.link.condition == "lost")
        await settle(pilot)
        assert "reconnecting" in screen(app).splitlines()[0]
        await until(lambda: "Trying again" in screen(app))  # the notice takes its place in a later layout
        await until(lambda: "698" in screen(app))  # the rows stay readable
        again = FakeDaemon(daemon.directory, World(705))
        await again.start()
        await until(lambda: app.link.live)
        await settle(pilot)
        await until(lambda: "705 trials" in screen(app))
        assert "Trying again" not in screen(app)
        await again.stop()


async def test_another_version_is_one_sentence(daemon: FakeDaemon) -> None:
    daemon.protocol = 9
    async with attached(daemon, (80, 24)) as (app, pilot):
        assert "✗ other version" in screen(app)
        assert "version 9 of the protocol" in screen(app)
        await press(pilot, "2", "3", "4", "5", "6", "7", "1")
        assert "version 9 of the protocol" in screen(app)


async def test_no_daemon_yet(folder: Path) -> None:
    daemon = FakeDaemon(folder / "late", World(0))
    async with attached(daemon, (80, 24)) as (app, _):
        assert "no daemon answers" in screen(app)
        await daemon.start()
        await until(lambda: app.link.live)
        await until(lambda: "Starts with the first trial that counts." in screen(app))
        await daemon.stop()


async def test_problems_are_on_every_screen(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, pilot):
        daemon.turn("failed", "waiting for a person", ("the disk is full: 3 MiB are free, free some",))
        await until(lambda: app.link.status and app.link.status.problems)
        await press(pilot, "6")
        assert "▲ the disk is full" in screen(app)
        assert "✗ failed" in screen(app).splitlines()[0]


# --- overview ---------------------------------------------------------------------------------------------------------


async def test_overview_follows_the_trial_under_way(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, _):
        assert "epoch 23/70" in screen(app)
        daemon.epoch()
        await until(lambda: "epoch 24/70" in screen(app))
        row = daemon.finish_trial()
        await until(lambda: f"{row.number} " in screen(app) and f"trials {row.number}" in screen(app))
        assert "trial 702" in screen(app)


async def test_overview_opens_best_and_newest(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "enter")
        assert app.query_one(Tabs).current == TRIAL
        assert f"trial {daemon.world.best[0].number}" in screen(app)
        await press(pilot, "1", "n")
        assert "trial 700" in screen(app)
        await press(pilot, "1")
        await pilot.click("#best", offset=(10, 2))
        await settle(pilot)
        assert f"trial {daemon.world.best[1].number}" in screen(app)


@pytest.mark.parametrize("key", "12345678")
async def test_empty_states_say_what_to_do(folder: Path, key: str) -> None:
    daemon = FakeDaemon(folder / "new", World(0))
    daemon.world.log.clear()
    await daemon.start()
    hints = {
        "1": "Starts with the first trial that counts.",
        "2": "The first one appears here by itself",
        "3": "2 lists them all, Enter opens one",
        "4": "action",
        "5": "r queues one here",
        "6": "Esc clears the search",
        "7": "fashion-mnist",
        "8": "name: fashion-mnist",
    }
    async with attached(daemon, (80, 24)) as (app, pilot):
        await press(pilot, key)
        assert hints[key] in screen(app)
    await daemon.stop()


async def test_between_two_trials_the_last_curve_stays(daemon: FakeDaemon) -> None:
    async with attached(daemon, (120, 40)) as (app, pilot):
        trained = daemon.world.worker().trial
        await until(lambda: "epoch 23/70" in screen(app))
        daemon.finish_trial()
        await until(lambda: "epoch 0/70" in screen(app))
        await settle(pilot)
        panel = app.query_one("#now")
        drawn = str(panel.render())
        assert f"before: trial {trained}" in drawn
        assert any(0x2800 < ord(character) < 0x2900 for character in drawn)
        daemon.epoch()
        await until(lambda: "epoch 1/70" in screen(app))
        assert "before:" not in str(panel.render())


async def test_the_machine_shows_its_last_hours_where_there_is_room(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, _):
        shown = screen(app)
        assert "m shows all" in shown
        assert "trials/h" in shown
    async with attached(daemon, (80, 24)) as (app, _):
        assert "m shows all" not in screen(app)
