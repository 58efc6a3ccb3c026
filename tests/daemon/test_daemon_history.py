import random

import msgspec
import numpy as np
import pytest

from nasd.daemon.history import History
from nasd.runs.remaining import Open
from nasd.strategies.base import Progress, Stage

STAGES = (("e=1", 30), ("e=0.5", 20), ("e=0.1", 15))


def progress(count):
    done, left = [], count
    for label, of in STAGES:
        done.append(Stage(label, min(left, of), of))
        left = max(left - of, 0)
    return Progress(count, 65, 0, tuple(done))


def test_what_earlier_daemons_left_counts_as_if_it_had_been_seen():
    """Loaded at any point, in the middle of a stage or at its end."""
    draw = random.Random(1)
    labels = [label for label, of in STAGES for _ in range(of)]
    trials = [(number, draw.choice([0.0, 1.0, draw.random()])) for number in range(1, 66)]
    seen = History()
    for count, (number, reward) in enumerate(trials, 1):
        seen.add(number, "evaluated", labels[count - 1], reward, counted=True)
        seen.pace("evaluated", labels[count - 1], counted=True, seconds=1.0)
        loaded = History()
        numbers, rewards = [n for n, _ in trials[:count]], [r for _, r in trials[:count]]
        loaded.load({"evaluated": count}, numbers, rewards, labels[:count])
        assert loaded.rewards(100, progress(count)) == seen.rewards(100, progress(count))
        without = {"eta_seconds": None, "eta_low": None, "eta_high": None}
        assert msgspec.structs.replace(seen.progress(progress(count)), **without) == (
            msgspec.structs.replace(loaded.progress(progress(count)), **without)
        )
    stages = seen.rewards(100, progress(65)).stages
    assert [stage.done for stage in stages] == [30, 20, 15]
    for stage, start in zip(stages, (0, 30, 50), strict=True):
        rewards = sorted(reward for _, reward in trials[start : start + stage.done])
        assert (stage.first_trial, stage.quartiles[0], stage.quartiles[4]) == (start + 1, rewards[0], rewards[-1])
        assert sum(stage.histogram) == stage.done
        assert stage.histogram[0] == sum(reward < 0.05 for reward in rewards)


def test_an_end_that_is_not_known_has_no_estimate():
    seen = History()
    for number in range(1, 10):
        seen.add(number, "evaluated", "level 1", 0.5, counted=True)
        seen.pace("evaluated", "level 1", counted=True, seconds=1.0)
    shown = seen.progress(Progress(9, None, 0, (Stage("level 1", 9, None),)))
    assert (shown.counted, shown.total, shown.eta_seconds) == (9, None, None)


def test_stalls_and_jobs_between_trials_do_not_put_the_end_off():
    """A box that slept for an hour, or a job of an hour, is no part of the pace."""
    calm, stalled = History(), History()
    for number in range(1, 41):
        calm.pace("evaluated", "e=1", counted=True, seconds=10.0, worked=9.5)
        between = 3600.0 if number in (20, 30) else 0.0
        stalled.pace("evaluated", "e=1", counted=True, seconds=10.0 + between, worked=9.5)
    where = Progress(40, 100, 0, (Stage("e=1", 40, 100),))
    assert calm.progress(where).eta_seconds == pytest.approx(600.0)
    assert stalled.progress(where).eta_seconds < 1.1 * 600.0


def test_a_trial_that_did_not_count_weighs_with_the_one_that_follows():
    """Of two evaluations that take a second each only one counts: twenty more that count take forty seconds."""
    seen = History()
    for number in range(1, 41):
        counted = number % 2 == 0
        seen.pace("evaluated" if counted else "failed", "e=1", counted=counted, seconds=1.0, gflop=3.0)
    assert seen.progress(Progress(20, 40, 0, (Stage("e=1", 20, 40),))).eta_seconds == pytest.approx(40.0)


def test_the_end_follows_from_the_operations_of_the_stages_to_come():
    """Behind twenty trials of 1 GFLOP, a second each, are twenty of 10 GFLOP and one under way of 100."""
    seen = History()
    for number in range(1, 21):
        seen.pace("evaluated", "e=1", counted=True, seconds=1.0 + 0.1 * (number % 2), gflop=1 + number % 2)
    where = Progress(20, 41, 1, (Stage("e=1", 20, 20), Stage("e=0", 0, 21)))
    by_pace = seen.progress(where).eta_seconds
    seen.expected = {"e=0": np.array([[1.0, 11.0]] * 20)}
    by_operations = seen.progress(where, [Open("e=0", 101.0)]).eta_seconds
    assert by_pace == pytest.approx(21 * 1.05)
    assert by_operations == pytest.approx(20 * 2.0 + 11.0)
