"""The log, against the fake daemon."""

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import asked, attached, press, screen, settle, until
from tui.widgets.logview import LogView


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
        await until(lambda: asked(daemon, "log")[-1].where == "lost while")
        await settle(pilot)
        assert "SIGKILL" in screen(app)
        daemon.say("info", "does not match")
        await settle(pilot)
        assert "does not match" not in screen(app)
        await press(pilot, "escape")
        await until(lambda: asked(daemon, "log")[-1].where == "")
