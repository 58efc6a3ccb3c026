"""A time limit whose keeper is itself stopped: by a signal, by a debugger, by a machine that is too busy."""

import pytest

from nasd.executors import worker
from nasd.executors.worker import LATE, Patience


@pytest.fixture
def clock(monkeypatch):
    """Its `now` is the time."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    return clock


def test_time_in_which_something_could_be_heard_counts(clock):
    patience = Patience(4)
    clock.now += 3
    assert not patience.stopped(wait=4)
    assert patience.left == 1
    clock.now += 1 + LATE / 2
    assert not patience.stopped(wait=1)
    assert patience.left < 0


def test_time_in_which_the_keeper_was_stopped_does_not(clock):
    patience = Patience(4)
    clock.now += 5
    assert patience.stopped(wait=4)
    assert patience.left == 4


def test_nor_where_it_was_stopped_between_two_waits(clock):
    """The wait after it would be of no length, and its end would be on time."""
    patience = Patience(4)
    clock.now += 1
    assert not patience.stopped(wait=4)
    clock.now += 60  # while it did something else
    assert patience.stopped(wait=min(patience.left, 3))
    assert patience.left == 3
