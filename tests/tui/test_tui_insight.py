"""The screen of what the search has learned."""

from pathlib import Path

import msgspec
import pytest

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import attached, press, screen, settle, until
from tui.panes.insight_part import short

WIDE, NARROW = (160, 48), (80, 24)


async def test_the_cursor_names_the_trial_under_it_and_enter_opens_it(daemon: FakeDaemon) -> None:
    insight = daemon.do_insight(p.InsightParams())
    async with attached(daemon, NARROW) as (app, pilot):
        await press(pilot, "9")
        newest = insight.curve[-1]
        assert f"trial {newest.trial}  reward {100 * newest.reward:.2f}" in screen(app)
        await press(pilot, "up")  # the last one that was the best by then
        record = insight.records[-1]
        assert f"trial {record.trial}  reward {100 * record.reward:.2f}" in screen(app)
        assert record.net[:40] in screen(app)
        await press(pilot, "up")
        assert f"trial {insight.records[-2].trial} " in screen(app)
        await press(pilot, "down", "left")
        before = [one.trial for one in insight.curve if one.trial < record.trial]
        assert any(f"trial {number} " in screen(app) for number in before[-20:])
        await press(pilot, "right", "enter")
        assert any(method == "trial" for method, _ in daemon.requests)
        assert "rank" in screen(app), "the screen of a trial"


async def test_the_front_lists_its_trials_and_changes_its_axis(daemon: FakeDaemon) -> None:
    fronts = {front.axis: front for front in daemon.do_insight(p.InsightParams()).fronts}
    async with attached(daemon, NARROW) as (app, pilot):
        await press(pilot, "9", "tab")
        shown = screen(app)
        assert "reward against parameters" in shown
        for one in fronts["parameters"].trials[-3:]:
            assert f"{one.trial:,}" in shown
            assert f"{100 * one.reward:.2f}" in shown
        await press(pilot, "a")
        assert "reward against embedding size" in screen(app)
        await press(pilot, "a")
        assert "reward against seconds" in screen(app)
        await press(pilot, "down", "enter")
        asked = [params.number for method, params in daemon.requests if method == "trial"]
        assert asked[-1] == fronts["seconds"].trials[-2].trial


async def test_decisions_by_importance_with_the_effects_of_the_one_under_the_cursor(daemon: FakeDaemon) -> None:
    first, second, *_ = daemon.do_insight(p.InsightParams()).decisions
    async with attached(daemon, NARROW) as (app, pilot):
        await press(pilot, "9", "tab", "tab")
        assert f"{first.name}: effect on the mean reward" in screen(app)
        for level in first.levels:
            assert f"{100 * level.effect:+.2f} ±{100 * level.error:.2f}" in screen(app)
        await press(pilot, "down")
        assert f"{second.name}: effect on the mean reward" in screen(app)
        await press(pilot, "shift+tab", "shift+tab", "shift+tab")
        assert "median" in screen(app), "the stages"


async def test_all_parts_stand_side_by_side_where_there_is_room(daemon: FakeDaemon) -> None:
    async with attached(daemon, WIDE) as (app, pilot):
        await press(pilot, "3", "9")  # whose panels have other heights
        assert app.query_one("#insight-best").size.height > 15
        names = ("best so far", "Pareto front", "what each decision is worth", "stages")
        assert all(name in screen(app) for name in names)
        await press(pilot, "z")
        assert "best so far" in screen(app)
        assert "Pareto front" not in screen(app)


async def test_a_long_run_is_asked_for_until_it_is_read(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(params: p.InsightParams) -> p.Insight:
        asked.append(params)
        whole = daemon.do_insight(params)
        return whole if len(asked) > 2 else msgspec.structs.replace(whole, read=100 * len(asked))

    daemon.methods._handlers["insight"] = answer
    async with attached(daemon, WIDE) as (app, pilot):
        await press(pilot, "9")
        await until(lambda: len(asked) == 3)
        await settle(pilot)
        assert "trials read" not in screen(app)
        assert asked == [p.InsightParams()] * 3


@pytest.mark.parametrize("strategy", ["qlearning", "pnas", "enas"])
async def test_a_new_run_says_what_it_waits_for(folder: Path, strategy: str) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(0, strategy=strategy))
    await daemon.start()
    async with attached(daemon, WIDE) as (app, pilot):
        await press(pilot, "9", "up", "left", "enter", "tab", "down", "a", "tab", "down", "tab")
        shown = screen(app)
        assert "Starts with the first trial that counts." in shown
        assert "Starts when some twenty different architectures are evaluated." in shown
    await daemon.stop()


def test_numbers_of_six_characters() -> None:
    values = (0.0, 7, 940, 12_345, 999_999, 4_560_000, 7.2e9)
    assert [short(value) for value in values] == ["0", "7", "940", "12.3k", "1M", "4.56M", "7.2G"]
