"""The list of trials, and all its keys, against the fake daemon."""

import re
from pathlib import Path

import msgspec
import pytest

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import asked, attached, press, screen, settle, until
from tui.dialogs.confirm import Confirm
from tui.dialogs.retrain import RetrainDialog
from tui.panes.trials import Trials
from tui.screens import TRIAL
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs


async def test_trials_keys_move_the_cursor(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        table = app.query_one(PagedTable)
        for keys, number in (
            (["down", "j"], 698), (["up"], 699), (["k"], 700), (["end"], 1), (["home"], 700), (["pagedown"], None),
        ):  # fmt: skip
            await press(pilot, *keys)
            if number:
                assert table.row.number == number
        assert table.row.number < 690
        await press(pilot, "pageup")
        assert table.row.number == 700


async def test_trials_filter_as_one_types(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.widgets.filter.TYPING", 1.0)  # a busy box takes longer for a key than a person
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "slash")
        await pilot.press(*"embedding")
        await until(lambda: "embedding" in [params.where for params in asked(daemon, "trials")])
        await settle(pilot)
        texts = [params.where for params in asked(daemon, "trials")]
        assert len(texts) < 6, "not a request for every letter"
        infeasible = daemon.world.by_status["infeasible"]
        repeated = [row for row in daemon.world.rows if row.status == "duplicate" and "embedding" in (row.reason or "")]
        await until(lambda: app.query_one(PagedTable).total == infeasible + len(repeated))
        assert "⊘" in screen(app)
        await press(pilot, "enter", "down")
        assert app.query_one(PagedTable).has_focus
        await press(pilot, "escape")
        await until(lambda: app.query_one(PagedTable).total == 700)
        await press(pilot, "slash", *"nothing like it")
        await until(lambda: "No trial matches." in screen(app))


async def test_trials_status_sort_reverse(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "f", "f")
        assert asked(daemon, "trials")[-1].status == ("early_stopped",)
        assert "only early stop" in screen(app)
        await press(pilot, "escape", "s")
        last = asked(daemon, "trials")[-1]
        assert (last.sort, last.descending, last.status) == ("reward", True, ())
        assert "reward % ▾" in screen(app)
        await press(pilot, "S")
        assert not asked(daemon, "trials")[-1].descending
        assert "reward % ▴" in screen(app)
        column = screen(app).splitlines()[3].index("test")
        await pilot.click("#trials-table", offset=(column, 0))
        await settle(pilot)
        assert asked(daemon, "trials")[-1].sort == "test_accuracy"


async def test_trials_marks_and_reasons(daemon: FakeDaemon) -> None:
    async with attached(daemon, (100, 40)) as (app, pilot):
        await press(pilot, "2")
        for status, glyph, sentence in (
            ("early_stopped", "▽", "at least 15 %"),
            ("duplicate", "≡", "of trial"),
            ("infeasible", "⊘", "25,088 values"),
            ("failed", "✗", "illegal memory access"),
        ):
            await press(pilot, "f" if status == "early_stopped" else "escape")
            pane = app.query_one(Trials)
            pane._status = status
            pane._ask()
            await settle(pilot)
            assert glyph in screen(app).splitlines()[4]
            assert sentence in screen(app)
        await press(pilot, "escape", "end")
        assert "⇣ imported" in screen(app)


async def test_trials_copy_retrain_open(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "down")
        row = app.query_one(PagedTable).row
        await press(pilot, "y")
        assert app.clipboard == row.net
        await press(pilot, "r")
        assert isinstance(app.screen, RetrainDialog)
        await press(pilot, "backspace", "3", "tab", *"20", "enter")
        await until(lambda: asked(daemon, "queue_job"))
        params = asked(daemon, "queue_job")[0]
        assert (params.trial, params.repeats, params.epochs, params.net) == (row.number, 3, 20, None)
        await press(pilot, "enter")
        assert app.query_one(Tabs).current == TRIAL
        assert f"trial {row.number}" in screen(app)


async def test_new_trials_push_the_list_but_not_the_cursor(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "down", "down", "down")
        table = app.query_one(PagedTable)
        assert table.row.number == 697
        for _ in range(5):
            daemon.finish_trial()
        await until(lambda: table.total == 705)
        assert table.row.number == 697
        await press(pilot, "home")
        daemon.finish_trial()
        await until(lambda: table.total == 706)
        assert table.row.number == 706, "on the first row the cursor follows the newest"


async def test_a_hundred_thousand_trials_scroll(folder: Path) -> None:
    daemon = FakeDaemon(folder / "long", World(100_000))
    await daemon.start()
    async with attached(daemon, (160, 48)) as (app, pilot):
        await press(pilot, "2")
        table = app.query_one(PagedTable)
        assert table.total == 100_000
        before = len(asked(daemon, "trials"))
        for top in range(0, 90_000, 3_000):  # dragging the scrollbar
            table.scroll_to(y=top, animate=False)
            await pilot.pause()
        await settle(pilot)
        assert len(asked(daemon, "trials")) - before <= 31
        assert max(params.limit for params in asked(daemon, "trials")) <= p.MAX_PAGE
        assert str(100_000 - 87_000) in screen(app)
        await press(pilot, "end")
        assert table.row.number == 1
        assert len(table._rows) <= p.MAX_PAGE, "only a window is here"
    await daemon.stop()


async def test_scrolling_a_slow_link_asks_only_for_where_one_ends_up(daemon: FakeDaemon) -> None:
    async with attached(daemon, (100, 30)) as (app, pilot):
        await press(pilot, "2")
        daemon.delay = 0.1
        before = len(asked(daemon, "trials"))
        for _ in range(20):
            app.query_one(PagedTable).action_page(1)
        await settle(pilot)
        assert len(asked(daemon, "trials")) - before <= 2
        daemon.delay = 0.0
        assert app.query_one(PagedTable).row is not None


async def test_foreign_strings_cannot_draw(daemon: FakeDaemon) -> None:
    nasty = "[bold red]C(1)[/] \x1b[31m\x07\u202eevil\n[@click=app.quit]x[/]"
    daemon.world.rows[-1] = msgspec.structs.replace(
        daemon.world.rows[-1], net=nasty, status="failed", reason=nasty, counted=False
    )
    daemon.world.best = [daemon.world.rows[-1], *daemon.world.best][:5]
    daemon.world.activity = nasty
    daemon.world.name = nasty
    daemon.world.problems = (nasty,)
    daemon.world.record("error", nasty, nasty)
    daemon.world.jobs = [
        p.JobRow(id=1, kind="retrain", summary=nasty, status="failed", priority=0, progress=0, reason=nasty,
                 result={nasty: nasty})
    ]  # fmt: skip
    async with attached(daemon, (160, 48)) as (app, pilot):
        for key in ("1", "2", "3", "5", "6", "7"):
            await press(pilot, key)
            shown = screen(app)
            assert "[bold red]" in shown, key
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
        await press(pilot, "2", "y", "r")
        assert "[bold red]" in screen(app)
        await press(pilot, "escape", "5", "x")
        await press(pilot, "X")
        assert isinstance(app.screen, Confirm)
