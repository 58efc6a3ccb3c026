"""What a client wants to know of all trials at once, kept up to date instead of asked of the database each time."""

import math
from array import array
from bisect import insort
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import pairwise

from nasd.protocol import Phase, Progress, RewardPoint, Rewards, TrialStatus
from nasd.strategies.qlearning.schedule import schedule_position

WINDOW = 20  # of the rolling reward, as in the published figure
BINS = 20
PACE = 100  # recent trials that the estimate of the end rests on


class History:
    """Rewards of the trials that counted, by epsilon phase, and the pace of the search."""

    def __init__(self, schedule: Sequence[tuple[float, int]]) -> None:
        self.schedule = tuple(schedule)
        self.by_status: Counter[TrialStatus] = Counter()
        self._numbers = array("i")
        self._rewards = array("d")
        self._phases = [_Rewards() for _ in self.schedule]
        self._ends: deque[float] = deque(maxlen=PACE + 1)  # when counted trials finished, on a clock without pauses
        self._active = 0.0

    def add(self, number: int, status: TrialStatus, reward: float, *, counted: bool, seconds: float) -> None:
        """Take a trial in, and the seconds that passed since the one before it."""
        self.by_status[status] += 1
        self._active += seconds
        if counted:
            phase, _, done = schedule_position(self.schedule, len(self._rewards))
            if done < self.schedule[phase][1]:  # else it is beyond the schedule's end
                self._phases[phase].add(number, reward)
            self._numbers.append(number)
            self._rewards.append(reward)
            self._ends.append(self._active)

    def load(self, by_status: Mapping[TrialStatus, int], numbers: Sequence[int], rewards: Sequence[float]) -> None:
        """Take in what earlier daemons left: trials by status, and the ones that counted."""
        self.by_status.update(by_status)
        self._numbers.extend(numbers)
        self._rewards.extend(rewards)
        start = 0
        for phase, (_, count) in zip(self._phases, self.schedule, strict=True):
            phase.load(self._numbers[start : start + count], self._rewards[start : start + count])
            start += count

    def progress(self) -> Progress:
        """Where the search is, and when it will end: the normal approximation over the last `PACE` trials."""
        counted = len(self._rewards)
        phase, epsilon, done = schedule_position(self.schedule, counted)
        total = sum(count for _, count in self.schedule)
        median, low, high = self._eta(total - counted)
        recent = self._rewards[-WINDOW:]
        return Progress(
            trials=self.by_status.total(),
            counted=counted,
            total=total,
            epsilon=epsilon,
            phase=phase,
            phase_done=done,
            phase_total=self.schedule[phase][1],
            by_status={str(status): count for status, count in self.by_status.items()},
            rolling_reward=math.fsum(recent) / len(recent) if recent else None,
            eta_seconds=median,
            eta_low=low,
            eta_high=high,
        )

    def rewards(self, points: int) -> Rewards:
        """The rolling mean, thinned evenly to at most `points` points, and the phases."""
        count = len(self._rewards)
        keep = max(2, min(points, 2000))
        step = max(1, math.ceil(count / keep))
        chosen = list(range(count - 1, -1, -step))[::-1]  # always with the newest
        return Rewards(
            window=WINDOW,
            points=tuple(
                RewardPoint(trial=self._numbers[i], mean=self._rolling(i), reward=self._rewards[i]) for i in chosen
            ),
            phases=tuple(
                phase.summary(epsilon, count)
                for phase, (epsilon, count) in zip(self._phases, self.schedule, strict=True)
            ),
        )

    def _rolling(self, end: int) -> float:
        window = self._rewards[max(0, end - WINDOW + 1) : end + 1]
        return math.fsum(window) / len(window)

    def _eta(self, left: int) -> tuple[float | None, float | None, float | None]:
        pace = [b - a for a, b in pairwise(self._ends)]
        if left <= 0:
            return 0.0, 0.0, 0.0
        if len(pace) < 2:
            return None, None, None
        mean = math.fsum(pace) / len(pace)
        variance = math.fsum((p - mean) ** 2 for p in pace) / (len(pace) - 1)
        # Two sources of error: the trials to come scatter, and the mean itself is only an estimate.
        spread = 1.2816 * math.sqrt(variance * (left + left**2 / len(pace)))
        return left * mean, max(0.0, left * mean - spread), left * mean + spread


class _Rewards:
    """Those of one epsilon phase, kept in order: a phase of a long search is asked for more often than it is sorted."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._sorted: list[float] = []
        self._bins = [0] * BINS

    def load(self, numbers: Sequence[int], rewards: Sequence[float]) -> None:
        """Take in the first ones."""
        self._first = numbers[0] if numbers else None
        self._sorted = sorted(rewards)
        for reward in rewards:
            self._bins[_bin(reward)] += 1

    def add(self, number: int, reward: float) -> None:
        """Take in the next one."""
        if self._first is None:
            self._first = number
        insort(self._sorted, reward)
        self._bins[_bin(reward)] += 1

    def summary(self, epsilon: float, count: int) -> Phase:
        """As clients see it, for a phase of `count` trials."""
        rewards = self._sorted
        if not rewards:
            return Phase(epsilon=epsilon, count=count, done=0)
        last = len(rewards) - 1
        low, first, median, third, high = (rewards[round(last * share)] for share in (0, 0.25, 0.5, 0.75, 1))
        return Phase(
            epsilon=epsilon,
            count=count,
            done=len(rewards),
            first_trial=self._first,
            mean=math.fsum(rewards) / len(rewards),
            quartiles=(low, first, median, third, high),
            histogram=tuple(self._bins),
        )


def _bin(reward: float) -> int:
    return min(int(reward * BINS), BINS - 1)
