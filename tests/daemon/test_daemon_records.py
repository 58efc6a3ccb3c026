"""The daemon writes what it finishes to `log/events.jsonl` and, if asked, for TensorBoard."""

import json

from store import Run
from tests.helpers.nasd_harness import living, make


async def test_events_and_tensorboard_of_a_search_that_is_stopped_and_goes_on(home):
    directory = make(home, 8, log={"tensorboard": True})
    async with living(directory) as live:
        await live.state("running", "finished")
    async with living(directory) as live:
        await live.state("finished")
    lines = [json.loads(line) for line in (directory / "log/events.jsonl").read_text().splitlines()]
    with Run.open(directory) as run:
        assert [line["net"] for line in lines] == [trial.net for trial in run.observed()]
    assert list((directory / "log/tensorboard").glob("events.out.tfevents.*"))
