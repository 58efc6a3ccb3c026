"""All runs of a box, with a daemon and without, as the terminal UI lists them."""

from nasd.client import Target
from tests.helpers.nasd_harness import Process, living, make
from tui.box import Box, tell


async def test_runs_are_known_with_a_daemon_and_without(home):
    finished = make(home, trials=4, name="done")
    async with living(finished) as live:
        await live.state("finished")
    under_way = make(home, trials=4000, name="under-way")
    box = Box()
    target = Target(home=True)

    async def rows():
        return {row.name: row for row in (await box.runs(target)).rows}

    try:
        seen = await rows()
        assert (seen["done"].state, seen["done"].counted, seen["done"].served) == ("finished", 4, False)
        assert (seen["under-way"].state, seen["under-way"].trials) == ("stopped", 0)
        with Process(under_way).ready():
            for _ in range(200):
                seen = await rows()
                if seen["under-way"].eta_seconds:
                    break
            assert seen["under-way"].served
            assert seen["under-way"].state == "running"
            assert seen["under-way"].pace > 0
            assert "paus" in await tell(target.sibling(str(under_way)), "pause")
            for _ in range(200):
                if (await rows())["under-way"].state == "paused":
                    break
            assert (await rows())["under-way"].state == "paused"
        assert not (await rows())["under-way"].served
    finally:
        await box.close()
