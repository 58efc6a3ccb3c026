"""The epsilon schedule: how much a search explores at each point."""

from collections.abc import Sequence
from typing import NamedTuple


class SchedulePosition(NamedTuple):
    """A point of the schedule: the phase's index from 0, its epsilon, and the trials counted within it."""

    phase: int
    epsilon: float
    done: int


def schedule_position(schedule: Sequence[tuple[float, int]], counted: int) -> SchedulePosition:
    """Where a search stands after `counted` trials with reward above 0.

    Args:
        schedule: Pairs of epsilon and the trials it lasts, at least one pair.
        counted: Trials so far, from 0.

    Returns:
        The phase that the next trial belongs to; once all are done, the last one with all its trials.
    """
    done = counted
    for phase, (epsilon, trials) in enumerate(schedule):
        if done < trials:
            return SchedulePosition(phase, epsilon, done)
        done -= trials
    epsilon, trials = schedule[-1]
    return SchedulePosition(len(schedule) - 1, epsilon, trials)


def stage_label(epsilon: float) -> str:
    """What the trials of a phase have as their stage."""
    return f"e={epsilon:g}"
