"""The load of the last day, in a ring."""

import pytest

from nasd.client import Target
from nasd.client.aio import Connection
from nasd.daemon.load_history import KEPT, MOST_POINTS, LoadHistory
from nasd.protocol import Device, Machine, MachineParams
from tests.helpers.nasd_harness import living, make, soon

GIB = 1 << 30


def machine(cpu, **device):
    devices = (Device(**{"name": "cuda:0", "utilisation": cpu, "memory_used": GIB, "memory_total": 2 * GIB, **device}),)
    return Machine(cpu=cpu, memory_used=3 * GIB, memory_total=8 * GIB, disk_run=0, disk_free=9, devices=devices)


def test_a_minute_is_the_mean_of_its_readings():
    history = LoadHistory()
    for second in range(0, 180, 2):
        history.add(600_000 + second, machine(0.1 * (second // 60) + (0.01 if second % 4 else -0.01), power=100.0))
    shown = history.answer(100)
    assert shown.times == (600_000, 600_060, 600_120)
    assert shown.cpu == pytest.approx((0.0, 0.1, 0.2))
    assert shown.memory == (3 * GIB,) * 3
    (device,) = shown.devices
    assert device.name == "cuda:0"
    assert device.utilisation == pytest.approx((0.0, 0.1, 0.2))
    assert device.power == (100.0,) * 3
    assert device.temperature == (None,) * 3, "which nobody measured"


def test_trials_per_hour_are_those_of_the_last_hour():
    history = LoadHistory()
    for minute in range(120):
        history.add(60.0 * minute, machine(0.5))
        if minute < 60:
            history.trial_finished(60.0 * minute + 1)
            history.trial_finished(60.0 * minute + 2)
    rates = history.answer(MOST_POINTS).trials_per_hour
    assert rates[0] == rates[59] == 120, "a young daemon's pace is that of the minutes it knows"
    assert rates[89] == 60
    assert rates[-1] == 0


def test_no_more_than_a_day_is_kept_and_no_more_points_than_asked_for():
    history = LoadHistory()
    for minute in range(KEPT + 500):
        history.add(60.0 * minute, machine(0.5))
    shown = history.answer(144)
    assert len(shown.times) <= 144
    assert shown.times[-1] == 60.0 * (KEPT + 499)
    assert shown.times[0] >= 60.0 * 499
    assert len(history._minutes) == KEPT
    assert all(len(minute.readings) == 1 for minute in history._minutes), "whose memory does not grow"
    assert len(history.answer(10**9).times) <= MOST_POINTS


def test_a_box_that_slept_has_a_gap_and_one_that_just_started_has_nothing():
    history = LoadHistory()
    assert history.answer(100).times == ()
    history.add(60.0, machine(0.5))
    history.add(6000.0, machine(0.5))
    assert history.answer(100).times == (60.0, 6000.0)


async def test_a_daemon_answers_with_what_it_measured(home, monkeypatch):
    monkeypatch.setattr("nasd.daemon.daemon.HEARTBEAT", 0.05)
    directory = make(home, trials=4)
    async with living(directory) as live:
        await live.state("finished")
        await soon(lambda: live.daemon.load.answer(10).times, "a reading")
        client = await Connection.open(Target(directory=directory))
        shown = await client.call("machine", MachineParams())
        await client.close()
        assert shown.memory[-1] > 0
        assert sum(rate > 0 for rate in shown.trials_per_hour) >= 1
