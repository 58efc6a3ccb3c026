"""What the UI shows of one strategy and not of another."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import attached, press, screen, settle, told, until
from tui.app import NasdApp
from tui.screens import OVERVIEW, STRATEGY, TRIAL
from tui.text import common_start
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs

SCREENS = {"qlearning": "Q-table", "evolution": "Population", "pnas": "Levels", "random": ""}


@contextlib.asynccontextmanager
async def showing(
    folder: Path, strategy: str, size: tuple[int, int] = (100, 30), trials: int = 400
) -> AsyncIterator[tuple[FakeDaemon, NasdApp, Pilot[Any]]]:
    daemon = FakeDaemon(folder / strategy, World(trials, name=strategy, strategy=strategy))
    await daemon.start()
    async with attached(daemon, size) as (app, pilot):
        yield daemon, app, pilot
    await daemon.stop()


@pytest.mark.parametrize(("strategy", "name"), SCREENS.items())
async def test_tabs_keys_help_and_palette_know_the_strategys_own_screen(folder: Path, strategy: str, name: str) -> None:
    async with showing(folder, strategy, (100, 60)) as (_, app, pilot):
        tabs = screen(app).splitlines()[1]
        assert ("4 " in tabs) == bool(name)
        assert name in tabs
        assert "5 Jobs" in tabs, "the other screens keep their keys"
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert [title for title in titles if title.endswith("(4)")] == ([f"{name}  (4)"] if name else [])
        await press(pilot, "4")
        assert app.query_one(Tabs).current == (STRATEGY if name else OVERVIEW)
        await press(pilot, "3", "]")
        assert app.query_one(Tabs).current == (STRATEGY if name else STRATEGY + 1)
        await press(pilot, "question_mark")
        assert f"Keys of {name or 'Jobs'}" in screen(app)


async def test_a_strategy_of_tomorrow_is_shown_as_far_as_it_is_like_the_others(folder: Path) -> None:
    daemon = FakeDaemon(folder / "new", World(50, strategy="random"))
    daemon.world.strategy = "one of tomorrow's"
    await daemon.start()
    async with attached(daemon) as (app, pilot):
        for key in "12345678":
            await press(pilot, key)
        await press(pilot, "3")
        assert "architecture" in screen(app)
    await daemon.stop()


async def test_another_runs_strategy_brings_its_screens(folder: Path) -> None:
    other = FakeDaemon(folder / "other", World(60, name="other", strategy="evolution"))
    await other.start()
    async with showing(folder, "qlearning") as (daemon, app, pilot):
        daemon.others = (
            p.RunRow(name="other", directory=str(other.directory), state="running", trials=60, total=None,
                     best_reward=0.9, modified_at=0.0),
        )  # fmt: skip
        await press(pilot, "4", "3", "7", "end", "enter")
        await until(lambda: app.link.status and app.link.status.name == "other")
        await settle(pilot)
        assert "4 Population" in screen(app).splitlines()[1]
        await press(pilot, "4")
        assert "reward by age" in screen(app)
    await other.stop()


async def test_only_q_learning_asks_for_an_architectures_steps(folder: Path) -> None:
    for strategy in ("qlearning", "random", "evolution"):
        async with showing(folder, strategy, (120, 50)) as (daemon, app, pilot):
            await press(pilot, "3")
            asked = [name for name, _ in daemon.requests if name == "qlearning.neighbours"]
            assert bool(asked) == ("steps in the Q-table" in screen(app)) == (strategy == "qlearning")


async def test_the_facts_of_a_trial_are_shown_whatever_they_are(folder: Path) -> None:
    async with showing(folder, "random", (80, 40)) as (daemon, app, pilot):
        facts = {"level": 3, "chosen_by": "[red]a ranking[/] of 301,056 cells\x1b[31m", "parents": [1, 2], "sure": None}
        daemon.world.rows[-1] = msgspec.structs.replace(daemon.world.rows[-1], stage="level 3", facts=facts)
        await press(pilot, "1", "n")
        shown = screen(app)
        for part in (
            "stage      level 3",
            "level      3",
            "parents    1, 2",
            "[red]a ranking[/] of 301,056 cells␛[31m",
        ):
            assert part in shown


async def test_population_keys(folder: Path) -> None:
    async with showing(folder, "evolution") as (daemon, app, pilot):
        await press(pilot, "4")
        assert "100 of 100 live" in screen(app)
        table = app._panes[STRATEGY].query_one(PagedTable)
        member = table.row
        assert (member.age, member.trial) == (0, daemon.world.counted_numbers[-1])
        await press(pilot, "o")
        assert app.query_one(Tabs).current == TRIAL
        assert f"trial {member.parent}" in screen(app)
        await press(pilot, "4", "down", "enter")
        assert f"trial {table.row.trial}" in screen(app)
        await press(pilot, "4", "y")
        assert app.clipboard == table.row.net
        daemon.finish_trial()
        await until(lambda: table.row.age == 2 or not daemon.world.rows[-1].counted)


async def test_levels_keys(folder: Path) -> None:
    async with showing(folder, "pnas", (140, 40), trials=300) as (_, app, pilot):
        await press(pilot, "4")
        shown = screen(app)
        for part in ("Spearman 0.63", "3,147,356,952,080 cells of 5 blocks", "▸  2", "├─ b1", "256 of a level"):
            assert part in shown
        table = app._panes[STRATEGY].query_one(PagedTable)
        assert table.row.state == "open", "the cells to come are the first"
        await press(pilot, "enter")
        assert "it has no trial yet" in told(app)
        await press(pilot, "y")
        assert app.clipboard == table.row.net
        await press(pilot, "comma")
        await settle(pilot)
        assert "▸  1" in screen(app)
        assert table.row.trial == 1
        await press(pilot, "enter")
        assert app.query_one(Tabs).current == TRIAL
        await press(pilot, "4", "full_stop")
        await settle(pilot)
        assert "▸  2" in screen(app)


async def test_epochs_of_a_supernet(folder: Path) -> None:
    async with showing(folder, "enas", (120, 40)) as (_, app, pilot):
        assert "4 Epochs" in screen(app).splitlines()[1]
        await press(pilot, "4")
        shown = screen(app)
        for part in (
            "the controller's choices",
            "after trial 12",
            "block 4.2",
            "epoch 12 of 20",
            "accuracy by size, with the Pareto front",
            "derived architecture",
            "resnet18[",
        ):
            assert part in shown
        table = app._panes[STRATEGY].query_one(PagedTable)
        assert table.row.epoch == 12
        await press(pilot, "down", "y")
        assert app.clipboard == table.row.net
        await press(pilot, "enter")
        assert f"trial {table.row.trial}" in screen(app)


async def test_the_controller_is_followed_through_the_epoch_under_way(folder: Path) -> None:
    async with showing(folder, "enas", (120, 40)) as (daemon, app, pilot):
        await press(pilot, "4")
        unit = {"label": "block 7.7", "choices": ["1", "32"], "probabilities": [0.25, 0.75], "entropy": 0.56}
        facts = {"reward": 0.612, "baseline": 0.6, "entropy": 0.56, "units": [unit]}
        worker = msgspec.structs.replace(daemon.world.worker(), trial=13, epoch=24, epochs=38, facts=facts)
        daemon.send(p.WorkerChanged, worker=worker)
        await until(lambda: "trial 13, 24/38 steps · reward 61.20 · H 0.560" in screen(app))
        assert "block 7.7 32" in screen(app)
        daemon.send(p.WorkerChanged, worker=msgspec.structs.replace(worker, state="idle", trial=None, facts={}))
        daemon.finish_trial()
        await until(lambda: "after trial 12" in screen(app))
        assert "block 7.7" not in screen(app)


async def test_members_of_the_first_population_have_no_parent(folder: Path) -> None:
    async with showing(folder, "evolution", trials=40) as (_, app, pilot):
        await press(pilot, "4", "o")
        assert "it has no parent" in told(app)


async def test_without_a_known_end_there_is_neither_percent_nor_eta(folder: Path) -> None:
    daemon = FakeDaemon(folder / "endless", World(400, strategy="evolution"))
    daemon.world.endless = True
    await daemon.start()
    async with attached(daemon, (80, 24)) as (app, _):
        header, position = screen(app).splitlines()[0], screen(app).splitlines()[3]
        counted = len(daemon.world.rewards)
        assert f"{counted} counted" in header
        assert "ETA" not in header
        assert f"counted {counted}  trials 400" in position
        assert "%" not in position
        assert "no end known yet" in position
    await daemon.stop()


@pytest.mark.parametrize(
    ("labels", "start"),
    [
        (["e=1", "e=0.9", "e=0"], "e="),
        (["level 1", "level 2", "level 10"], "level "),
        (["e=0.10", "e=0.15"], "e="),
        (["initial", "cycle"], ""),
        (["random"], ""),
        (["same", "same"], ""),
        ([], ""),
    ],
)
def test_what_labels_have_in_common(labels: list[str], start: str) -> None:
    assert common_start(labels) == start
