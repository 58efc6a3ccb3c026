"""The columns of the trials, which are remembered, and marked rows as CSV, against the fake daemon."""

import csv
import io
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, screen, settle, told, until
from tui import settings
from tui.app import NasdApp
from tui.dialogs.columns import Columns
from tui.dialogs.export_rows import ExportRows
from tui.panes import trial_columns
from tui.widgets.table import PagedTable


def titles(app: NasdApp) -> list[str]:
    """Of the columns that are drawn."""
    return [column.title for column, _, _ in app.query_one("#trials-table", PagedTable)._layout()]


async def test_columns_are_chosen_and_remembered(daemon: FakeDaemon) -> None:
    async with attached(daemon, (120, 30)) as (app, pilot):
        await press(pilot, "2")
        assert "layers" not in titles(app)
        assert not asked(daemon, "trials")[-1].sizes, "what nobody sees is not asked for"
        await press(pilot, "v")
        assert isinstance(app.screen, Columns)
        await press(pilot, "space", "down", "down", "down", "space", "down", "space", "enter")
        await until(lambda: "layers" in titles(app))
        assert {"params", "test"} <= set(titles(app))
        assert "reward %" not in titles(app)
        await until(lambda: asked(daemon, "trials")[-1].sizes)
        await settle(pilot)
        parameters = f"{daemon.world.graph(daemon.world.rows[-1].net).parameters:,}"
        await until(lambda: parameters in screen(app))
    async with attached(daemon, (120, 30)) as (app, pilot):
        await press(pilot, "2")
        assert "layers" in titles(app)
        await press(pilot, "v", "d", "enter")
        await until(lambda: "reward %" in titles(app))
        assert settings.load().trial_columns is None


async def test_columns_that_are_not_taken_stay(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        before = titles(app)
        await press(pilot, "v", "space", "escape")
        assert titles(app) == before
        assert settings.load().trial_columns is None


async def test_all_columns_fit_the_smallest_screen(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, pilot):
        await press(pilot, "2", "v", "a")
        await until(lambda: "are left out here" in screen(app))
        assert all(choice.about[:20] in screen(app) for choice in trial_columns.CHOICES)
        await press(pilot, "enter")
        assert titles(app)[-1] == "architecture"
        assert "note" not in titles(app)
        start, width = app.query_one("#trials-table", PagedTable)._layout()[-1][1:]
        assert start + width <= 80


async def test_settings_with_names_of_another_version_are_read(daemon: FakeDaemon) -> None:
    settings.save(settings.Settings(trial_columns=("test", "of a later version")))
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        assert titles(app) == ["trial", "", "test", "architecture"]


async def test_marked_rows_are_saved_where_the_ui_runs(
    daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with attached(daemon, (120, 30)) as (app, pilot):
        await press(pilot, "2", "space", "down", "space", "E")
        assert isinstance(app.screen, ExportRows)
        name = app.screen.query_one("#file", Input).value
        await press(pilot, "enter")
        await until(lambda: not isinstance(app.screen, ExportRows))
        assert f"2 trials written to {tmp_path}"[:30] in told(app)
        rows = list(csv.DictReader((tmp_path / name).read_text().splitlines()))
        assert [row["number"] for row in rows] == ["698", "700"]
        wanted = daemon.world.rows[699]
        assert rows[1]["net"] == wanted.net
        assert float(rows[1]["reward"]) == wanted.reward
        assert rows[1]["parameters"] == str(daemon.world.graph(wanted.net).parameters)
        assert float(rows[1]["facts.epsilon"]) == wanted.facts["epsilon"]
        before = (tmp_path / name).read_bytes()
        await press(pilot, "E", "enter")
        await until(lambda: "It is not saved: File exists." in screen(app))
        assert (tmp_path / name).read_bytes() == before


async def test_without_a_name_the_rows_go_onto_the_clipboard(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "E")
        app.screen.query_one("#file", Input).value = ""
        await press(pilot, "enter")
        await until(lambda: not isinstance(app.screen, ExportRows))
        (row,) = csv.DictReader(io.StringIO(app.clipboard))
        assert row["number"] == "700"
        assert "copied as CSV" in told(app)


async def test_a_file_that_cannot_be_written_is_told(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "E")
        app.screen.query_one("#file", Input).value = "/dev/null/trials.csv"
        await press(pilot, "enter")
        await until(lambda: "It is not saved: Not a directory." in screen(app))
        assert isinstance(app.screen, ExportRows)


async def test_more_rows_than_a_filter_has_terms_are_saved(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        await pilot.press(*["space"] * 45)
        await press(pilot, "E")
        app.screen.query_one("#file", Input).value = ""
        await press(pilot, "enter")
        await until(lambda: not isinstance(app.screen, ExportRows))
        numbers = [int(row["number"]) for row in csv.DictReader(io.StringIO(app.clipboard))]
        assert len(numbers) == 45
        assert numbers == sorted(numbers)
