"""Every screen and every key, against the fake daemon."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.widgets import Input, OptionList

from nasd import protocol as p
from nasd.graph import Graph, Node
from nasd.outcome import Labels, LabelScore
from nasd.protocol.qlearning import QParams
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, attached, press, screen, settle, told, until
from tui.app import JOBS, LOG, OVERVIEW, RUNS, STRATEGY, TRIAL, TRIALS
from tui.dialogs.confirm import Confirm
from tui.dialogs.export import Export
from tui.dialogs.help import Help
from tui.dialogs.retrain import RetrainDialog
from tui.panes.trials import Trials
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.logview import LogView
from tui.widgets.table import PagedTable
from tui.widgets.tabs import Tabs


def asked(daemon: FakeDaemon, method: str) -> list[Any]:
    return [params for name, params in daemon.requests if name == method]


def queue(daemon: FakeDaemon, *statuses: p.JobStatus) -> None:
    daemon.world.jobs = [
        p.JobRow(id=index, kind="retrain", summary=f"retrain trial {index}", status=status, priority=0, progress=0.0)
        for index, status in enumerate(statuses, 1)
    ]


# --- everywhere -------------------------------------------------------------------------------------------------------


async def test_header_tells_all(daemon: FakeDaemon) -> None:
    async with attached(daemon, (80, 24)) as (app, _):
        line = screen(app).splitlines()[0]
        for part in ("fashion-mnist@gpu-box", "● running", "e=1", "/2,503", "ETA", "● live"):
            assert part in line


async def test_numbers_brackets_and_the_mouse_change_screens(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        for index, key in enumerate("12345678"):
            await press(pilot, key)
            assert app.query_one(Tabs).current == index
            assert [pane.display for pane in app._panes.values()].count(True) == 1
            assert app._panes[index].display
        await press(pilot, "]")
        assert app.query_one(Tabs).current == OVERVIEW
        await press(pilot, "[", "[", "[")
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
        start = next(start for start, _, _, binding in bar._buttons if binding.action == "pause")
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


# --- trials -----------------------------------------------------------------------------------------------------------


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


async def test_trials_filter_as_one_types(daemon: FakeDaemon) -> None:
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


async def test_retrain_dialog_checks(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "R", "enter")
        assert "Name an architecture." in screen(app)
        app.screen.query_one("#net", Input).value = "[C(32,5,1,2,1), SM(10)]"
        app.screen.query_one("#repeats", Input).value = "0"
        await press(pilot, "enter")
        assert "At least one repeat." in screen(app)
        app.screen.query_one("#repeats", Input).value = "2"
        await press(pilot, "enter")
        await until(lambda: asked(daemon, "queue_job"))
        assert asked(daemon, "queue_job")[0].net == "[C(32,5,1,2,1), SM(10)]"


async def test_retrain_dialog_queues_a_full_training_on_a_device(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2", "r", *["tab"] * 3, *"cuda:1", "tab")
        assert "▐ ▌ full" in screen(app)
        await press(pilot, "space")
        assert "▐X▌ full" in screen(app)
        await press(pilot, "enter")
        await until(lambda: asked(daemon, "queue_job"))
        (params,) = asked(daemon, "queue_job")
        assert (params.full, params.device, params.repeats) == (True, "cuda:1", 1)
        await press(pilot, "r", "enter")
        await until(lambda: len(asked(daemon, "queue_job")) == 2)
        assert (asked(daemon, "queue_job")[1].full, asked(daemon, "queue_job")[1].device) == (False, None)


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


# --- jobs -------------------------------------------------------------------------------------------------------------


async def test_jobs_keys(daemon: FakeDaemon) -> None:
    queue(daemon, "queued", "queued", "done")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "5", "down", "plus")
        await until(lambda: asked(daemon, "move_job"))
        assert asked(daemon, "move_job")[0] == p.MoveJobParams(id=2, priority=1)
        table = app._panes[JOBS].query_one(PagedTable)
        await until(lambda: table._rows[0].id == 2)
        await settle(pilot)
        assert table.row.id == 2, "the cursor goes with the job"
        await press(pilot, "minus", "minus")
        await until(lambda: len(asked(daemon, "move_job")) == 3)
        await press(pilot, "x", "n")
        assert not asked(daemon, "cancel_job")
        await press(pilot, "x", "y")
        await until(lambda: asked(daemon, "cancel_job"))
        await press(pilot, "end", "x")
        assert "there is nothing to cancel" in told(app)
        await press(pilot, "plus")
        assert len(asked(daemon, "move_job")) == 3
        await press(pilot, "r")
        assert isinstance(app.screen, RetrainDialog)


async def test_jobs_are_paused_and_go_on(daemon: FakeDaemon) -> None:
    queue(daemon, "running", "queued", "done")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "5", "space")
        assert asked(daemon, "move_job") == [p.MoveJobParams(id=1, priority=None, paused=True)]
        await until(lambda: "‖ paused" in screen(app))
        table = app._panes[JOBS].query_one(PagedTable)
        assert table.row.id == 1
        await press(pilot, "space")
        assert asked(daemon, "move_job")[1] == p.MoveJobParams(id=1, priority=None, paused=False)
        await until(lambda: "paused" not in screen(app))
        await press(pilot, "end", "space")
        assert "there is nothing to pause" in told(app)
        assert len(asked(daemon, "move_job")) == 2
        await press(pilot, "question_mark")
        assert "Hold it back, or let it go on where it was" in screen(app)


async def test_jobs_show_progress_and_results(daemon: FakeDaemon) -> None:
    queue(daemon, "running")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "5")
        job = daemon.world.jobs[0]
        daemon.change_job(msgspec.structs.replace(job, progress=0.5))
        await until(lambda: "50 %" in screen(app))
        repeats = [{"seed": 1, "test_accuracy": 0.91, "validation_accuracies": [0.9]}, {"test_accuracy": None}]
        result = {"repeats": repeats, "mean_test_accuracy": 0.90431, "stdev_test_accuracy": None}
        daemon.change_job(msgspec.structs.replace(job, progress=1.0, status="done", result=result))
        await until(lambda: "2 repeats 91.00 · mean test accuracy 90.43 %" in screen(app))


# --- log --------------------------------------------------------------------------------------------------------------


async def test_log_follows_searches_and_goes_back(daemon: FakeDaemon) -> None:
    for number in range(600):
        daemon.world.record("info", "scheduler", f"old record {number}")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "6")
        view = app.query_one(LogView)
        assert "old record 599" in screen(app)
        daemon.say("warning", "the newest of all")
        await until(lambda: "the newest of all" in screen(app))
        await press(pilot, "pageup")
        assert not view.following
        assert "not following" in screen(app)
        daemon.say("info", "unseen")
        await settle(pilot)
        assert "unseen" not in screen(app)
        await press(pilot, "home")
        await until(lambda: len(view.records) > 400)
        await press(pilot, "f")
        assert view.following
        assert "unseen" in screen(app)
        await press(pilot, "l")
        await settle(pilot)
        assert asked(daemon, "log")[-1].level == "warning"
        assert "old record" not in screen(app)
        await press(pilot, "l", "l")
        assert asked(daemon, "log")[-1].level == "debug"
        await press(pilot, "slash", *"lost while", "enter")
        await until(lambda: asked(daemon, "log")[-1].text == "lost while")
        await settle(pilot)
        assert "SIGKILL" in screen(app)
        daemon.say("info", "does not match")
        await settle(pilot)
        assert "does not match" not in screen(app)
        await press(pilot, "escape")
        await until(lambda: asked(daemon, "log")[-1].text == "")


# --- runs -------------------------------------------------------------------------------------------------------------


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
