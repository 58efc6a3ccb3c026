"""A trial, and the Q-table that it leads to, against the fake daemon."""

import re

import msgspec
import pytest

from nasd import protocol as p
from nasd.graph import Graph, Node
from nasd.outcome import Labels, LabelScore
from nasd.protocol.qlearning import QParams
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, screen, settle, until
from tui.dialogs.retrain import RetrainDialog
from tui.screens import STRATEGY, TRIAL, TRIALS
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs

# --- trial ------------------------------------------------------------------------------------------------------------


async def test_trial_keys(daemon: FakeDaemon) -> None:
    async with attached(daemon, (160, 48)) as (app, pilot):
        await press(pilot, "3")
        best = daemon.world.best[0]
        shown = screen(app)
        for part in (f"trial {best.number}", "architecture", "learning curves", "steps in the Q-table", "6,272"):
            assert part in shown
        await press(pilot, "left")
        assert f"trial {best.number - 1} " in screen(app)
        await press(pilot, "right", "right")
        assert f"trial {best.number + 1} " in screen(app)
        await press(pilot, "b", "y")
        assert app.clipboard == best.net
        await press(pilot, "r")
        assert isinstance(app.screen, RetrainDialog)
        await press(pilot, "escape", "w")
        assert app.query_one(Tabs).current == STRATEGY
        layers = best.net.strip("[]").split(", ")
        assert " › ".join(["start", *layers[:-1]]) in screen(app)
        await press(pilot, "3", "backspace")
        assert app.query_one(Tabs).current == TRIALS


async def test_trial_shows_labels_and_a_pyramid(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = daemon.world.detail
    crack = LabelScore(label="Crack", accuracy=0.9, precision=None, recall=0.0, f1=0.0)
    labels = Labels(validation_accuracies=(0.5,), test_accuracy=0.875, validation=(crack,), test=(crack,))
    nodes = (
        Node(kind="conv", text="C(32,7,2,1)", shape=(32, 109, 109), parameters=4704),
        Node(kind="spp", text="C(32,5,0,2)", shape=(32, 55)),
    )
    graph = Graph(nodes=nodes, edges=((0, 1),))
    async with attached(daemon, (120, 50)) as (app, pilot):
        await press(pilot, "3")
        assert "steps in the Q-table" in screen(app)
        assert "precision" not in screen(app)
        monkeypatch.setattr(
            daemon.world, "detail", lambda number: msgspec.structs.replace(plain(number), labels=labels, graph=graph)
        )
        await press(pilot, "left")
        shown = screen(app)
        assert re.search(r"Crack +90\.00 +– +0\.00 +0\.00", shown)
        assert re.search(r"mean +87\.50", shown)
        assert re.search(r"pyramid pool +C\(32,5,0,2\) +55 bins×32 ", shown)


async def test_trial_goes_to_the_original_of_a_duplicate(daemon: FakeDaemon) -> None:
    row = next(row for row in daemon.world.rows if row.status == "duplicate")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "3")
        app._panes[TRIAL].show(row.number)
        await settle(pilot)
        assert f"≡ duplicate of trial {row.duplicate_of}" in screen(app)
        await press(pilot, "d")
        assert f"trial {row.duplicate_of} " in screen(app)
        assert str(row.number) in screen(app), "and is told where it came again"


# --- Q-table ----------------------------------------------------------------------------------------------------------


async def test_q_table_walk(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "4")
        first = app._panes[STRATEGY].query_one(PagedTable).row
        assert first.greedy
        assert "★" in screen(app)
        await press(pilot, "down", "enter")
        second = asked(daemon, "qlearning.page")[-1].path
        assert len(second) == 1
        assert second[0] != first.text
        await press(pilot, "backspace")
        assert asked(daemon, "qlearning.page")[-1].path == ()
        assert app._panes[STRATEGY].query_one(PagedTable).cursor == 1, "the cursor is where one came from"
        await press(pilot, "g")
        assert asked(daemon, "qlearning.page")[-1].path == (first.text,)
        await press(pilot, "0")
        assert asked(daemon, "qlearning.page")[-1].path == ()
        page = daemon.world.page(QParams())
        await press(pilot, "G")
        assert asked(daemon, "qlearning.page")[-1].path == page.greedy_path[:-1]


async def test_a_trial_says_its_rank(daemon: FakeDaemon) -> None:
    best = daemon.world.best[0]
    ranked = daemon.do_trial(p.TrialParams(number=best.number)).ranked
    async with attached(daemon) as (app, pilot):
        await press(pilot, "b")
        assert f"1st of {ranked}" in screen(app)


async def test_q_values_are_drawn_on_the_states_own_range(daemon: FakeDaemon) -> None:
    async with attached(daemon, (120, 40)) as (app, pilot):
        await press(pilot, "4")
        page = daemon.world.page(QParams())
        lines = screen(app).splitlines()
        best, *_, worst = [action for action in page.actions if action.tried]
        widths = {
            action.text: next(line for line in lines if action.text in line and f"{action.q:.4f}" in line).count("█")
            for action in (best, worst)
        }
        assert widths[best.text] == 20
        assert widths[worst.text] <= 1


async def test_from_an_action_to_the_trials_that_begin_like_it(daemon: FakeDaemon) -> None:
    first = daemon.world.page(QParams()).actions[0].text
    second = daemon.world.page(QParams(path=(first,))).actions[0].text
    async with attached(daemon, (120, 40)) as (app, pilot):
        await press(pilot, "4", "enter", "w")
        await until(lambda: asked(daemon, "trials")[-1].where == f'"[{first}, {second},"')
        await settle(pilot)
        found = [row.number for row in daemon.world.rows if row.net.startswith(f"[{first}, {second},")]
        assert f"{len(found)} trials" in screen(app)
