"""Jobs, and the dialog that queues a retraining, against the fake daemon."""

import msgspec
from textual.widgets import Input

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, queue, screen, settle, told, until
from tui.dialogs.retrain import RetrainDialog
from tui.screens import JOBS
from tui.widgets.table import PagedTable


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


async def test_what_trainings_from_scratch_came_to_is_told_above_the_job(daemon: FakeDaemon) -> None:
    daemon.world.notes = ("trained from scratch: 3 of 3 architectures", "rank correlation +0.50")
    queue(daemon, "done")
    async with attached(daemon, (120, 30)) as (app, pilot):
        await press(pilot, "5")
        await until(lambda: "trained from scratch: 3 of 3 architectures · rank correlation +0.50" in screen(app))
