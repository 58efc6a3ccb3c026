"""What a run has evaluated, read in slices, in little memory."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nasd.config import LayersConfig
from nasd.runs import collected
from nasd.runs.collected import Collected
from nasd.spaces.layers import SearchSpace
from store.queries import Evaluated


class Trials:
    """Stands in for a run."""

    def __init__(self, trials: Sequence[Evaluated]) -> None:
        self.all = list(trials)

    def evaluated(self, after: int = 0, *, count: int) -> list[Evaluated]:
        return [trial for trial in self.all if trial.order > after][:count]

    def count(self) -> int:
        return max((trial.order for trial in self.all), default=0)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return SearchSpace(LayersConfig(patch_size=8, num_classes=10, max_conv=4, conv_features=(16, 32)))


def trials(space: SearchSpace, count: int, first: int = 1) -> list[Evaluated]:
    random = np.random.default_rng(first)
    made = []
    for order in range(first, first + count):
        net = str(space.sample(random))
        made.append(Evaluated(order, order, net, 0.5 + 0.001 * order, 100 + order, 2.0))
    return made


def test_reads_each_trial_once_and_goes_on_where_it_was(space: SearchSpace) -> None:
    run: Any = Trials(trials(space, 30))
    known = Collected(space)
    known.read(run)
    assert (known.order, list(known.numbers)) == (30, list(range(1, 31)))
    first = space.graph(space.parse(run.all[0].net))
    assert known.costs("parameters")[0] == first.parameters
    assert known.costs("embedding").tolist() == [100 + number for number in range(1, 31)]
    run.all += trials(space, 5, first=31)
    known.read(run)
    assert list(known.numbers) == list(range(1, 36))


def test_stops_when_its_time_is_over(space: SearchSpace) -> None:
    run: Any = Trials(trials(space, 30))
    known = Collected(space)
    known.read(run, seconds=0.0)
    assert known.order == 0


def test_an_architecture_that_the_space_does_not_have_has_no_size(space: SearchSpace) -> None:
    run: Any = Trials([Evaluated(1, 1, "cell[(h-1 id, h-1 id)]", 0.5, None, 0.0), *trials(space, 25, first=2)])
    known = Collected(space)
    known.read(run)
    assert all(math.isnan(known.costs(axis)[0]) for axis in ("parameters", "embedding", "seconds"))
    assert known.importances().rows == 25


def test_keeps_an_even_selection_of_decisions(space: SearchSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collected, "MOST_ROWS", 10)
    run: Any = Trials(trials(space, 100))
    known = Collected(space)
    known.read(run)
    rows = list(known._of_rows)
    assert 5 <= len(rows) <= 10
    assert rows == list(range(0, 100, rows[1]))
    assert len(known._decisions) == len(rows)
    assert known._decisions[-1] == space.decisions(space.parse(run.all[rows[-1]].net))
