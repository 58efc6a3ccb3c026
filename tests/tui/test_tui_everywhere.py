"""What every screen has, against the fake daemon."""

import pytest
from textual.widgets import OptionList

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, queue, screen, settle, until
from tui.dialogs.confirm import Confirm
from tui.dialogs.export import Export
from tui.dialogs.help import Help
from tui.screens import JOBS, LOG, OVERVIEW, TRIALS
from tui.widgets.keybar import KeyBar
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs


async def test_header_tells_all(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, _):
        line = screen(app).splitlines()[0]
        for part in ("fashion-mnist@gpu-box", "● running", "e=1", "/2,503", "ETA", "● live"):
            assert part in line


async def test_numbers_brackets_and_the_mouse_change_screens(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        for index, key in enumerate("123456789"):
            await press(pilot, key)
            assert app.query_one(Tabs).current == index
            assert [pane.display for pane in app._panes.values()].count(True) == 1
            assert app._panes[index].display
        await press(pilot, "]")
        assert app.query_one(Tabs).current == OVERVIEW
        await press(pilot, *["["] * 4)
        assert app.query_one(Tabs).current == LOG
        await pilot.click(Tabs, offset=(15, 0))
        await settle(pilot)
        assert app.query_one(Tabs).current == TRIALS


async def test_pause_and_resume(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "p")
        await until(lambda: app.link.status and app.link.status.state == "paused")
        await settle(pilot)
        assert "‖ paused" in screen(app).splitlines()[0]
        await press(pilot, "p")
        await until(lambda: app.link.status and app.link.status.state == "running")
        assert [name for name, _ in daemon.requests if name in ("pause", "resume")] == ["pause", "resume"]


async def test_stop_asks_once_more(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        for refusal in ("n", "escape", "enter"):  # No has the focus
            await press(pilot, "X")
            assert isinstance(app.screen, Confirm)
            await press(pilot, refusal)
            assert not isinstance(app.screen, Confirm)
        assert not asked(daemon, "stop")
        await press(pilot, "X", "y")
        assert asked(daemon, "stop")
        await press(pilot, "X", "right", "enter")
        assert len(asked(daemon, "stop")) == 2


async def test_checkpoint_and_export(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "C")
        assert asked(daemon, "checkpoint")
        await press(pilot, "e")
        assert isinstance(app.screen, Export)
        await press(pilot, "v")
        await press(pilot, "e", "enter")
        assert [params.what for params in asked(daemon, "export")] == ["q_values", "replay_buffer"]


async def test_detach_asks_nothing_of_the_daemon(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        before = len(daemon.requests)
        await pilot.press("q")
        await until(lambda: not app.is_running)
        assert app.return_code == 0
    await until(lambda: not daemon.connections)
    assert len(daemon.requests) == before


async def test_help_shows_the_keys_of_this_screen(daemon: FakeDaemon) -> None:
    async with attached(daemon, (100, 60)) as (app, pilot):
        await press(pilot, "6", "question_mark")
        assert isinstance(app.screen, Help)
        shown = screen(app)
        assert "Keys of Log" in shown
        assert "Go to the newest record" in shown
        assert "Leave; the search goes on" in shown
        await press(pilot, "escape", "2", "question_mark")
        assert "Sort by the next column" in screen(app)


async def test_theme(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        assert app.current_theme.dark
        await press(pilot, "t")
        assert not app.current_theme.dark


async def test_command_palette_knows_every_action(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        commands = [command.title for command in app.get_system_commands(app.screen)]
        for title in (
            "Pause  (p)",
            "Stop  (X)",
            "Export  (e)",
            "Checkpoint  (C)",
            "Retrain  (r)",
            "Jobs  (5)",
            "Copy  (y)",
        ):
            assert title in commands
        command = next(one for one in app.get_system_commands(app.screen) if one.title == "Jobs  (5)")
        await command.callback()
        await settle(pilot)
        assert app.query_one(Tabs).current == JOBS
        await pilot.press("ctrl+p")
        await pilot.pause()
        await press(pilot, *"checkpoint")
        await until(lambda: app.screen.query_one(OptionList).option_count == 1)
        await press(pilot, "enter")
        await until(lambda: asked(daemon, "checkpoint"))


async def test_key_bar_is_for_the_mouse_too(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        bar = app.query_one(KeyBar)
        start = next(start for start, _, _, binding in bar._buttons if binding.id == "search.pause")
        await pilot.click(KeyBar, offset=(start + 2, 0))
        await until(lambda: asked(daemon, "pause"))


async def test_every_binding_has_an_id_and_says_what_it_does(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        for key in "12345678":
            await press(pilot, key)
            for active in app.screen.active_bindings.values():
                if active.binding.system or active.binding.action in ("command_palette", "quit"):
                    continue
                if str(active.node).startswith(("Screen", "Input")):
                    continue  # Textual's own
                assert active.binding.id, active
                assert active.binding.tooltip, active


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 48), (250, 80)])
async def test_every_screen_at_every_size(daemon: FakeDaemon, size: tuple[int, int]) -> None:
    queue(daemon, "running", "queued", "done")
    async with attached(daemon, size) as (app, pilot):
        for key in "12345678":
            await press(pilot, key)
            lines = screen(app).splitlines()
            assert len(lines) == size[1]
            assert all(len(line) == size[0] for line in lines), "no wide characters, nothing cut"
            assert "q detach" in lines[-1]
            assert "8 Config" in lines[1]


async def test_resize_loses_nothing(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, pilot):
        await press(pilot, "2")
        app.query_one(PagedTable).place(30)
        await settle(pilot)
        number = app.query_one(PagedTable).row.number
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert app.query_one(PagedTable).row.number == number
        assert f"{number}" in screen(app)
        await pilot.resize_terminal(250, 80)
        await settle(pilot)
        assert app.query_one(PagedTable).row.number == number
