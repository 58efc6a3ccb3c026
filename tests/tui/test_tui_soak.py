"""A day attached leaks nothing: many events, and memory stays where it was."""

import gc
import tracemalloc
from pathlib import Path

import pytest

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, attached, press, settle, until
from tui.app import NasdApp
from tui.widgets.logview import LogView


def event(world: World, sequence: int) -> p.Event:
    """A day's mixture: mostly epochs, now and then a trial, a log record, a heartbeat."""
    head = {"seq": sequence, "time": world.clock}
    turn = sequence % 20
    if turn == 0:
        row = world.rows[sequence // 20 % len(world.rows)]
        return p.TrialFinished(**head, row=row, progress=world.progress(), best=tuple(world.best))
    if turn in (1, 2):
        record = p.LogRecord(
            id=sequence, time=world.clock, level="info", source="scheduler", message=f"record {sequence}"
        )
        return p.Logged(**head, record=record)
    if turn == 3:
        return p.MachineLoad(**head, machine=world.machine())
    if turn == 4:
        job = p.JobRow(id=1, kind="retrain", summary="again", status="running", priority=0, progress=turn / 20)
        return p.JobChanged(**head, job=job, queued=sequence % 3)
    world.epoch = turn
    return p.WorkerChanged(**head, worker=world.worker())


async def feed(app: NasdApp, world: World, clock: Clock, start: int, count: int) -> None:
    """Events as the link would tell them, without the socket: a day in seconds."""
    for number in range(start, start + count):
        clock.now += 0.86
        change = event(world, number)
        app.link._take(change)
        app.link._heard = clock.now
        app._hear(change)
        if number % 200 == 0:
            await until(lambda: not app._news)
    await until(lambda: not app._news)


@pytest.mark.parametrize("events", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
async def test_memory_stays_flat(folder: Path, events: int) -> None:
    world, clock = World(300), Clock()
    daemon = FakeDaemon(folder / "run", world)
    await daemon.start()
    async with attached(daemon, (100, 30), clock) as (app, pilot):
        for key in "123456789":
            await press(pilot, key)
        screens = ["1", "6", "2"]
        share = events // 15
        used, objects = [], []
        # The first part fills what is bounded: the log's records, the plot's points.
        await press(pilot, "6")
        await feed(app, world, clock, 1, events - 9 * share)
        tracemalloc.start()
        try:
            for part in range(9):
                await press(pilot, screens[part % 3])
                await feed(app, world, clock, events - (9 - part) * share, share)
                await press(pilot, "1")
                gc.collect()
                used.append(tracemalloc.get_traced_memory()[0])
                objects.append(len(gc.get_objects()))
        finally:
            tracemalloc.stop()
        # Three rounds of all screens. What leaks grows in each, by 700 bytes and more than one object for each event;
        # a cache that fills, or a module that something imports late, grows once.
        assert min(used[5] - used[2], used[8] - used[5]) < 3 * share * 450, used
        assert min(objects[5] - objects[2], objects[8] - objects[5]) < 2 * share, objects
        assert len(app._panes[0]._plot._points) <= 1501  # type: ignore[attr-defined]
        await press(pilot, "6")
        assert len(app.query_one(LogView).records) <= 5_500
        await settle(pilot)
    await daemon.stop()
