import random

import msgspec

from nasd.daemon.history import History

SCHEDULE = ((1.0, 30), (0.5, 20), (0.1, 10))


def test_what_earlier_daemons_left_counts_as_if_it_had_been_seen():
    """Loaded at any point, in the middle of a phase or at its end, and beyond the schedule's end."""
    draw = random.Random(1)
    trials = [(number, draw.choice([0.0, 1.0, draw.random()])) for number in range(1, 66)]
    seen = History(SCHEDULE)
    for count, (number, reward) in enumerate(trials, 1):
        seen.add(number, "evaluated", reward, counted=True, seconds=1.0)
        loaded = History(SCHEDULE)
        loaded.load({"evaluated": count}, [n for n, _ in trials[:count]], [r for _, r in trials[:count]])
        assert loaded.rewards(100) == seen.rewards(100)
        assert msgspec.structs.replace(seen.progress(), eta_seconds=None, eta_low=None, eta_high=None) == (
            msgspec.structs.replace(loaded.progress(), eta_seconds=None, eta_low=None, eta_high=None)
        )
    phases = seen.rewards(100).phases
    assert [phase.done for phase in phases] == [30, 20, 10]
    for phase, start in zip(phases, (0, 30, 50), strict=True):
        rewards = sorted(reward for _, reward in trials[start : start + phase.done])
        assert (phase.first_trial, phase.quartiles[0], phase.quartiles[4]) == (start + 1, rewards[0], rewards[-1])
        assert sum(phase.histogram) == phase.done
        assert phase.histogram[0] == sum(reward < 0.05 for reward in rewards)
