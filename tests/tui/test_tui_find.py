"""Find anything: the filter as one types, commands with arguments, marks, comparison, stars and notes."""

from typing import Any

import pytest
from textual.widgets import Input, OptionList

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, screen, settle, told, until
from tui import settings
from tui.dialogs.compare import Compare
from tui.dialogs.retrain import RetrainDialog
from tui.screens import TRIAL
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs


async def command(app: Any, pilot: Any, words: str) -> None:
    await pilot.press("colon")
    await pilot.pause()
    await press(pilot, *("space" if key == " " else key for key in words))
    await until(lambda: app.screen.query_one(OptionList).option_count)
    await press(pilot, "enter")


async def test_a_filter_is_the_daemons_work(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "slash")
        app.query_one("#trials-text", Input).value = "reward>0.84 !status:duplicate"
        await until(lambda: asked(daemon, "trials")[-1].where == "reward>0.84 !status:duplicate")
        await settle(pilot)
        rows = [row for row in daemon.world.rows if row.reward > 0.84 and row.status != "duplicate"]
        await until(lambda: app.query_one(PagedTable).total == len(rows))


async def test_a_bad_term_is_underlined_and_says_what_was_expected(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "slash")
        field = app.query_one("#trials-text", Input)
        field.value = "reward>0.9"
        await until(lambda: asked(daemon, "trials")[-1].where == "reward>0.9")
        await settle(pilot)
        total = app.query_one(PagedTable).total
        field.value = "reward>0.9 rewrd<1"
        await settle(pilot)
        await until(lambda: "rewrd<1 expected reward<" in screen(app))
        hint = app.query_one("#trials-hint").render()
        assert any("underline" in str(span.style) for span in hint.spans)
        assert app.query_one(PagedTable).total == total, "what is listed stays"
        assert asked(daemon, "trials")[-1].where == "reward>0.9"


async def test_fields_are_completed(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "slash", *"sta")
        await until(lambda: "fields status stage" in " ".join(screen(app).split()) or "fields sta" in screen(app))
        await press(pilot, "right")
        assert app.query_one("#trials-text", Input).value == "status:"


async def test_best_lists_have_each_architecture_once(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        assert not asked(daemon, "trials")[-1].distinct
        await press(pilot, "s")
        assert asked(daemon, "trials")[-1].distinct
        assert "architectures" in screen(app)
        await press(pilot, "D")
        assert not asked(daemon, "trials")[-1].distinct


async def test_a_trial_by_its_number_and_the_best(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await command(app, pilot, "117")
        await until(lambda: app.query_one(Tabs).current == TRIAL and "trial 117" in screen(app))
        await command(app, pilot, "best")
        await until(lambda: f"trial {daemon.world.best[0].number} " in screen(app))
        assert app.recent == ["best", "117"]
        await settle(pilot)
        await pilot.press("colon")
        await until(lambda: "117  (recent)" in screen(app))
        # Above all else: the providers are a set, which is asked in any order.
        listed = app.screen.query_one(OptionList)
        first = [str(listed.get_option_at_index(index).prompt) for index in range(2)]
        assert ["best  (recent)" in first[0], "117  (recent)" in first[1]] == [True, True], first


async def test_themes_are_chosen_and_remembered(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "t")
        assert not app.current_theme.dark
        app.use_theme("nord")
        assert settings.load().theme == "nord"
    async with attached(daemon) as (app, _):
        assert app.theme == "nord"


async def test_marked_trials_are_compared_and_retrained(daemon: FakeDaemon) -> None:
    async with attached(daemon, (120, 48)) as (app, pilot):
        await press(pilot, "2", "c")
        assert "Mark two to 5" in told(app)
        await press(pilot, "space", "down", "space")
        await until(lambda: "2 marked" in screen(app))
        await press(pilot, "c")
        assert isinstance(app.screen, Compare)
        await until(lambda: "trial 698" in screen(app) and "trial 700" in screen(app))
        for part in ("reward", "weights", "layer 1"):
            assert part in screen(app)
        await press(pilot, "escape", "r")
        assert isinstance(app.screen, RetrainDialog)
        await press(pilot, "enter")
        (params,) = asked(daemon, "queue_job")
        assert [one.trial for one in params.selection] == [698, 700]
        await press(pilot, "escape")
        await until(lambda: "marked" not in screen(app))


async def test_stars_and_notes_are_kept_by_the_daemon(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "asterisk")
        await until(lambda: "★" in screen(app))
        assert asked(daemon, "mark")[-1].star
        await press(pilot, "N")
        await press(pilot, *"again", "enter")
        assert asked(daemon, "mark")[-1].note == "again"
        await until(lambda: "· again" in screen(app))
        await press(pilot, "asterisk")
        await until(lambda: "★" not in screen(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (250, 80)])
async def test_a_comparison_fits_every_size(daemon: FakeDaemon, size: tuple[int, int]) -> None:
    async with attached(daemon, size) as (app, pilot):
        await press(pilot, "2", *(["space"] * 5), "c")
        assert isinstance(app.screen, Compare)
        await until(lambda: "trial 700" in screen(app))
        assert all(len(line) == size[0] for line in screen(app).splitlines())
