"""The last day of the box."""

import re

import pytest

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.pilot import attached, press, screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (250, 80)])
async def test_shows_what_is_known_over_the_whole_screen(daemon: FakeDaemon, size: tuple[int, int]) -> None:
    history = daemon.do_machine(p.MachineParams())
    async with attached(daemon, size) as (app, pilot):
        await press(pilot, "m")
        shown = screen(app)
        assert f"trials per hour  now {history.trials_per_hour[-1]:.4g}" in shown
        assert "-20 h" in shown
        seen = shown
        for _ in range(4):
            await press(pilot, "down")
            seen += "\n" + screen(app)
        assert all(title in seen for title in ("cpu", "memory", "H200 use", "H200 memory", "H200 temperature"))
        assert "H200 power" not in seen, "which nobody measured"
        assert all(len(line) <= size[0] for line in seen.splitlines())
        await press(pilot, "escape")
        assert "rolling reward" in screen(app)


@pytest.mark.parametrize(("seconds", "tick"), [(120, "-60 s"), (600, "-4 m"), (36_000, "-4 h")])
async def test_times_and_sizes_are_round_and_each_once(daemon: FakeDaemon, seconds: float, tick: str) -> None:
    daemon.methods._handlers["machine"] = lambda _: p.MachineHistory(
        times=(1e9, 1e9 + seconds), trials_per_hour=(60.0, 90.0), cpu=(0.5, 0.6), memory=(8.4e9, 9.8e9), devices=()
    )
    async with attached(daemon, (160, 48)) as (app, pilot):
        await press(pilot, "m")
        shown = screen(app)
        lowest = next(line for line in shown.splitlines()[::-1] if "now" in line)
        times = re.findall(r"-[\d.]+ [smh]", lowest)
        assert tick in times
        assert len(set(times)) == len(times)
        assert {"8.0 GiB┤", "4.0 GiB┤"} <= set(re.findall(r"[\d.]+ GiB┤", shown))


async def test_a_young_daemon_says_that_it_knows_little(daemon: FakeDaemon) -> None:
    daemon.methods._handlers["machine"] = lambda _: p.MachineHistory(
        times=(1.0,), trials_per_hour=(1.0,), cpu=(0.5,), memory=(1e9,), devices=()
    )
    async with attached(daemon) as (app, pilot):
        await press(pilot, "m")
        assert "began to measure just now" in screen(app)
