"""Drives the app in tests."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from nasd import protocol as p
from nasd.client import Target
from tests.helpers.fake_daemon import FakeDaemon
from tui.app import NasdApp
from tui.widgets.keybar import KeyBar


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def until(true: Callable[[], Any], limit: float = 30.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


async def settle(pilot: Pilot[Any]) -> None:
    """Until nothing is under way but the link."""
    app = pilot.app
    await until(lambda: app.link.condition != "connecting")  # type: ignore[attr-defined]
    quiet = 0
    while quiet < 3:
        await pilot.pause()
        await asyncio.sleep(0.005)
        busy = bool(app._news) or any(not worker.is_finished for worker in app.workers if worker.name != "link")
        quiet = 0 if busy else quiet + 1
    for field in app.screen.query(Input):
        field.cursor_blink = False


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Keys, each after the last one's effect."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def make(daemon: FakeDaemon, clock: Clock | None = None) -> NasdApp:
    return NasdApp(Target(directory=daemon.directory), host="gpu-box", clock=clock or Clock())


@contextlib.asynccontextmanager
async def attached(
    daemon: FakeDaemon, size: tuple[int, int] = (100, 30), clock: Clock | None = None
) -> AsyncIterator[tuple[NasdApp, Pilot[Any]]]:
    """The app, attached, with its first page on the screen."""
    app = make(daemon, clock)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield app, pilot


def told(app: NasdApp) -> str:
    """What the bottom line says instead of keys."""
    return app.screen_stack[0].query_one(KeyBar).said


def screen(app: NasdApp) -> str:
    """What is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


def asked(daemon: FakeDaemon, method: str) -> list[Any]:
    """The params of every call of a method, oldest first."""
    return [params for name, params in daemon.requests if name == method]


def queue(daemon: FakeDaemon, *statuses: p.JobStatus) -> None:
    """Jobs in these states take the place of the daemon's own."""
    daemon.world.jobs = [
        p.JobRow(id=index, kind="retrain", summary=f"retrain trial {index}", status=status, priority=0, progress=0.0)
        for index, status in enumerate(statuses, 1)
    ]
