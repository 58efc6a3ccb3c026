"""The daemon writes what it finishes to `log/events.jsonl` and, if asked, for TensorBoard."""

import io
import json

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from nasd.pictures.stripes import CELL, FIRST, OTHER, UNDECIDED, stripes
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


async def test_tensorboard_shows_the_choices_of_each_epoch_of_a_supernet(home):
    directory = make(home, 4, "enas", search={"derive": 0}, log={"tensorboard": True})
    async with living(directory) as live:
        await live.state("finished")
    (file,) = (directory / "log/tensorboard").glob("events.out.tfevents.*")
    events = [event for event in EventFileLoader(str(file)).Load() if event.HasField("summary")]
    pictures = {event.step: value for event in events for value in event.summary.value if value.tag == "choices"}
    assert sorted(pictures) == [1, 2, 3, 4]
    for epoch, value in pictures.items():
        (content,) = value.tensor.string_val[2:]
        picture = np.asarray(Image.open(io.BytesIO(content)))
        assert picture.shape == (8 * CELL, epoch * CELL, 3)
        assert (picture == UNDECIDED).all()  # the stub's controller never decides


def test_stripes_tell_first_and_other_choices_apart():
    content, width, height = stripes([[1.0, 0.0, 0.5], [0.0, 0.5, 0.75]])
    picture = np.asarray(Image.open(io.BytesIO(content)))
    assert (width, height) == (2 * CELL, 3 * CELL)
    shown = [[tuple(picture[row * CELL, column * CELL].tolist()) for column in range(2)] for row in range(3)]
    between = tuple(round((a + b) / 2) for a, b in zip(FIRST, UNDECIDED, strict=True))
    assert shown == [[FIRST, OTHER], [OTHER, UNDECIDED], [UNDECIDED, between]]
