"""When a search is said to end."""

import numpy as np
import pytest

from nasd.config import Config
from nasd.runs.plan import works
from nasd.runs.remaining import Ended, Left, Open, remaining

SECOND = [Ended("e=1", 1, gflop, 0.5 + 2 * gflop) for gflop in (1.0, 2.0, 3.0, 4.0)]


def test_nothing_is_said_before_two_trials_and_nothing_is_left_at_the_end():
    assert remaining({"e=1": 3}, [], {}, SECOND[:1]) is None
    assert remaining({"e=1": 0}, [], {}, SECOND[:1]) == Left(0.0, 0.0, 0.0)


def test_time_is_that_of_evaluations_and_of_operations():
    expected = {"e=1": np.array([[1.0, 10.0]] * 5), "e=0": np.array([[0.0, 0.0], [2.0, 30.0]])}
    left = remaining({"e=1": 0, "e=0": 4}, [], expected, SECOND)
    assert left.median == pytest.approx(4 * (0.5 * 2 + 2 * 30) / 2)
    assert left.low < left.median < left.high, "some of them need no evaluation, and nobody knows how many"


def test_what_is_open_takes_what_it_takes_and_is_one_of_those_that_are_left():
    expected = {"e=0": np.array([[1.0, 10.0]] * 2)}
    open = [Open("e=0", 1000.0), Open("e=0", None)]
    assert remaining({"e=0": 3}, open, expected, SECOND).median == pytest.approx(2000.5 + 20.5)
    assert remaining({"e=0": 1}, open, expected, SECOND).median == pytest.approx(2000.5), "more open than are left"


def test_trials_of_a_stage_correct_its_simulation():
    """Thirty trials, and as many that were simulated."""
    expected = {"e=1": np.array([[1.0, 9.0]] * 30)}
    recent = [Ended("e=1", 1, 1.0, 2.0), Ended("e=1", 1, 3.0, 6.0)] * 15
    assert remaining({"e=1": 10}, [], expected, recent).median == pytest.approx(10 * (2 * 9 + 2 * 2) / 2)


@pytest.mark.parametrize(
    "recent",
    [
        [Ended("", 1, 0.0, 3.0)] * 9,  # operations are not known
        [Ended("", 1, 7.0, 3.0)] * 9,  # all the same
        [Ended("", 1, 1.0, 4.0), Ended("", 1, 3.0, 2.0)] * 4,  # what is larger takes less time
    ],
)
def test_without_a_simulation_the_pace_goes_on(recent):
    assert remaining({"": 100}, [], {}, recent).median == pytest.approx(300)


def test_stages_that_were_not_simulated_are_estimated_together():
    recent = [Ended("", 1, 1.0, 3.0), Ended("", 1, 1.0, 5.0)]
    apart = remaining({"e=1": 50, "e=0": 30, "": 20}, [], {}, recent)
    assert apart == remaining({"": 100}, [], {}, recent)
    assert apart.median == pytest.approx(400)
    known = {"": np.array([[1.0, 1.0]])}
    assert remaining({"": 60, "e=0": 40}, [], known, recent).median == pytest.approx(400)


def test_trials_that_need_no_evaluation_take_no_time():
    left = remaining({"e=0": 50}, [], {}, [Ended("e=0", 0, 0.0, 0.001)] * 5)
    assert left.median == pytest.approx(0.0)
    assert left.high < 1


def test_operations_tell_the_end_better_than_the_pace():
    """As in the paper's space, a few trials take most of the time: by pace alone the end is 30 % off, and more."""
    random, errors = np.random.default_rng(1), {"pace": [], "operations": []}
    for _ in range(200):
        early, late = random.lognormal(0, 1.5, 1000), random.lognormal(-1, 1.5, 300)
        late[100:] = 0  # proposed before
        expected = {
            "e=1": np.stack([np.ones(1000), random.lognormal(0, 1.5, 1000)], axis=1),
            "e=0": np.stack(
                [np.arange(300) < 100, np.where(np.arange(300) < 100, random.lognormal(-1, 1.5, 300), 0)], 1
            ),
        }
        recent = [Ended("e=1", 1, gflop, 3 * gflop * random.uniform(0.9, 1.1)) for gflop in early[:100]]
        truth = 3 * (early[100:].sum() + late.sum())
        stages = {"e=1": 900, "e=0": 300}
        for way, known in {"pace": {}, "operations": expected}.items():
            errors[way].append(abs(remaining(stages, [], known, recent).median / truth - 1))
    assert np.mean(errors["operations"]) < 0.12
    assert np.mean(errors["pace"]) > 2 * np.mean(errors["operations"])


def test_a_search_is_simulated_stage_by_stage():
    space = {"min_conv": 1, "max_conv": 3, "conv_sizes": [1, 3], "conv_features": [4, 8], "patch_size": 12}
    search = {"epsilon_schedule": [[1.0, 20], [0.0, 10]]}
    calls = []
    found = works(Config.model_validate({"space": space, "search": search}), lambda: calls.append(None))
    assert {stage: len(rows) for stage, rows in found.items()} == {"e=1": 20, "e=0": 10}
    assert found["e=0"][:, 0].sum() < found["e=1"][:, 0].sum(), "a greedy search repeats itself"
    assert all((rows[:, 1] > 0).tolist() == (rows[:, 0] > 0).tolist() for rows in found.values())
    assert len(calls) >= 30
