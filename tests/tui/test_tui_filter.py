"""The filter line is the same in every list, against the fake daemon."""

import pytest
from textual.events import Key
from textual.widgets import Input

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, queue, screen, settle, until
from tui.widgets.filter import FilterLine
from tui.widgets.logview import LogView
from tui.widgets.table import PagedTable

LISTS = [
    ("2", "trials", "sta", "status:", "reward%"),
    ("4", "q", "gre", "greedy:", "tried>x"),
    ("5", "jobs", "sta", "status:", "status:lost"),
    ("6", "log", "sou", "source:", "level:loud"),
    ("7", "runs", "dae", "daemon:", "best>x"),
]


@pytest.mark.parametrize(("key", "name", "begun", "completed", "wrong"), LISTS, ids=[name for _, name, *_ in LISTS])
async def test_every_list_completes_fields_and_underlines_what_is_none(
    daemon: FakeDaemon, key: str, name: str, begun: str, completed: str, wrong: str
) -> None:
    queue(daemon, "done")
    wrong = "rewrd<1" if name == "trials" else wrong
    async with attached(daemon) as (app, pilot):
        await press(pilot, key, "slash", *begun)
        field = app.query_one(f"#{name}-text", Input)
        assert field.has_focus
        await until(lambda: "fields " in screen(app))
        await press(pilot, "right")
        assert field.value == completed
        line = app.query_one(f"#{name}-filter", FilterLine)
        before = line.where
        field.value = wrong
        await until(lambda: f"{wrong} expected" in screen(app))
        hint = app.query_one(f"#{name}-hint").visual  # type: ignore[attr-defined]
        assert any("underline" in str(span.style) for span in hint.spans)
        await settle(pilot)
        assert line.where == before, "what is listed stays"
        await press(pilot, "escape")
        assert not field.value
        assert isinstance(app.focused, PagedTable | LogView)
        assert line.display == (name in ("trials", "log")), "elsewhere the line is there while it is used"


async def test_jobs_are_filtered(daemon: FakeDaemon) -> None:
    queue(daemon, "running", "queued", "failed", "done")
    async with attached(daemon) as (app, pilot):
        await press(pilot, "5", "slash", *"status:failed", "enter")
        table = app.query_one("Jobs PagedTable", PagedTable)
        await until(lambda: table.total == 1)
        await until(lambda: table.row and table.row.id == 3)
        assert asked(daemon, "jobs")[-1].where == "status:failed"
        assert not app.query_one("#jobs-hint").display, "the hint is for who types"
        await press(pilot, "slash")
        app.query_one("#jobs-text", Input).value = "status:paused"
        await until(lambda: "No job matches." in screen(app))
        await press(pilot, "escape")
        await until(lambda: table.total == 4)


async def test_the_log_is_filtered_as_it_comes(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "6", "slash", *"source:worker", "enter")
        await until(lambda: asked(daemon, "log")[-1].where == "source:worker")
        await settle(pilot)
        daemon.world.record("info", "scheduler", "not this")
        daemon.say("info", "nor this")
        await settle(pilot)
        sources = {record.source for record in app.query_one(LogView).records}
        assert all("worker" in source for source in sources)


async def test_runs_are_filtered(daemon: FakeDaemon) -> None:
    daemon.others = tuple(
        p.RunRow(name=name, directory=f"/x/{name}", state=state, trials=1, total=2, best_reward=best, modified_at=0.0)
        for name, state, best in (("mnist", "stopped", 0.99), ("svhn", "paused", None))
    )
    async with attached(daemon) as (app, pilot):
        await press(pilot, "7", "slash", *"state:stopped best>98%", "enter")
        table = app.query_one("Runs PagedTable", PagedTable)
        await until(lambda: table.total == 1)
        await until(lambda: table.row and table.row.name == "mnist")


async def test_actions_are_filtered(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "4")
        table = app.query_one("QTable PagedTable", PagedTable)
        every = table.total
        await press(pilot, "slash", *"greedy:yes", "enter")
        await until(lambda: table.total == 1)
        await until(lambda: table.row and table.row.greedy)
        await press(pilot, "enter")
        assert app.query_one("#q-text", Input).value == "greedy:yes", "one walks on among these"
        await press(pilot, "0", "escape")
        await until(lambda: table.total == every)


async def test_what_is_typed_at_once_behind_the_slash_is_the_filter(daemon: FakeDaemon) -> None:
    async with attached(daemon) as (app, pilot):
        await press(pilot, "2")
        await settle(pilot)
        for character in "/best:1":  # all of it waits before the first key is handled, as on a slow line
            app.post_message(Key({"/": "slash", ":": "colon"}.get(character, character), character))
        await until(lambda: app.query_one("#trials-text", Input).value == "best:1")
