"""What a client wants to know of all trials at once, kept up to date instead of asked of the database each time."""

import math
from array import array
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from nasd.protocol import RewardPoint, Rewards, SearchProgress, StageProgress, StageRewards, TrialStatus
from nasd.runs.remaining import Ended, Open, Works, remaining
from nasd.strategies.base import Progress

WINDOW = 20  # of the rolling reward, as in the published figure
BINS = 20
SLACK = 1.0  # seconds that a trial may take besides its evaluation
PACE = 100  # recent trials that the estimate of the end rests on
EVALUATED = ("evaluated", "early_stopped", "failed")


class History:
    """Rewards of the trials that counted, by stage, and the pace of the search.

    Attributes:
        by_status: How many trials ended in which way.
        expected: What the trials of each stage are expected to be, if that is known (`nasd.runs.remaining`).
    """

    def __init__(self) -> None:
        self.expected: Mapping[str, Works] = {}
        self.by_status: Counter[TrialStatus] = Counter()
        self._numbers = array("i")
        self._rewards = array("d")
        self._stages: dict[str, _Rewards] = {}
        self._recent: deque[Ended] = deque(maxlen=PACE)
        self._since = Ended("", 0, 0.0, 0.0)  # the last trial that counted

    def add(self, number: int, status: TrialStatus, stage: str, reward: float, *, counted: bool) -> None:
        """Take a trial in.

        Args:
            number: The trial's, as all that follows.
            status: How it ended.
            stage: Which it belongs to.
            reward: What it brought.
            counted: Whether it advanced the search.
        """
        self.by_status[status] += 1
        if counted:
            self._stages.setdefault(stage, _Rewards()).add(number, reward)
            self._numbers.append(number)
            self._rewards.append(reward)

    def pace(
        self,
        status: TrialStatus,
        stage: str,
        *,
        counted: bool,
        seconds: float,
        worked: float | None = None,
        gflop: float = 0.0,
    ) -> None:
        """Take in how long a trial took.

        Args:
            status: How it ended, as all that follows.
            stage: Which it belongs to.
            counted: Whether it advanced the search.
            seconds: Since the trial before it.
            worked: Seconds of its evaluation; None: not measured. What passed beyond it, in a pause, a stall of the box
                or a job that came in between, is no part of the search's pace.
            gflop: That it took for one image; 0: not known.
        """
        _, evaluations, before, active = self._since
        active += seconds if worked is None else min(seconds, worked + SLACK)
        evaluations += status in EVALUATED
        self._since = Ended(stage, evaluations, before + gflop, active)
        if counted:
            self._recent.append(self._since)
            self._since = Ended("", 0, 0.0, 0.0)

    def load(
        self,
        by_status: Mapping[TrialStatus, int],
        numbers: Sequence[int],
        rewards: Sequence[float],
        stages: Sequence[str],
    ) -> None:
        """Take in what earlier daemons left: trials by status, and the ones that counted."""
        self.by_status.update(by_status)
        self._numbers.extend(numbers)
        self._rewards.extend(rewards)
        of_stages: dict[str, tuple[array[int], array[float]]] = {}
        start = 0
        for stage, same in groupby(stages):  # a stage's trials mostly follow each other
            end = start + len(list(same))
            of_stage = of_stages.setdefault(stage, (array("i"), array("d")))
            of_stage[0].extend(numbers[start:end])
            of_stage[1].extend(rewards[start:end])
            start = end
        for stage, of_stage in of_stages.items():
            self._stages.setdefault(stage, _Rewards()).load(*of_stage)

    def progress(self, progress: Progress, open: Sequence[Open] = ()) -> SearchProgress:
        """Where the search is, and when it will end, by the last `PACE` trials and by what is open."""
        median, low, high = self._eta(progress, open)
        recent = self._rewards[-WINDOW:]
        return SearchProgress(
            trials=self.by_status.total(),
            counted=progress.done,
            total=progress.of,
            stage=progress.stage,
            stages=tuple(StageProgress(label=s.label, done=s.done, of=s.of) for s in progress.stages),
            by_status={str(status): count for status, count in self.by_status.items()},
            rolling_reward=math.fsum(recent) / len(recent) if recent else None,
            eta_seconds=median,
            eta_low=low,
            eta_high=high,
            notes=progress.notes,
        )

    def rewards(self, points: int, progress: Progress) -> Rewards:
        """The rolling mean, thinned evenly to at most `points` points, and the rewards by stage."""
        count = len(self._rewards)
        keep = max(2, min(points, 2000))
        step = max(1, math.ceil(count / keep))
        chosen = list(range(count - 1, -1, -step))[::-1]  # always with the newest
        nothing = _Rewards()
        return Rewards(
            window=WINDOW,
            points=tuple(
                RewardPoint(trial=self._numbers[i], mean=self._rolling(i), reward=self._rewards[i]) for i in chosen
            ),
            stages=tuple(
                self._stages.get(stage.label, nothing).summary(stage.label, stage.done, stage.of)
                for stage in progress.stages
            ),
        )

    def _rolling(self, end: int) -> float:
        window = self._rewards[max(0, end - WINDOW + 1) : end + 1]
        return math.fsum(window) / len(window)

    def _eta(self, progress: Progress, open: Sequence[Open]) -> tuple[float | None, float | None, float | None]:
        if progress.of is None:
            return None, None, None
        left: Counter[str] = Counter()
        for stage in progress.stages:
            left[stage.label] += max(0, (stage.of or 0) - stage.done)
        left[""] = max(0, progress.of - progress.done - left.total())  # of stages that are not known yet
        return remaining(left, open, self.expected, self._recent) or (None, None, None)


class _Rewards:
    """Rewards of one stage, kept in order: a stage of a long search is asked for more often than it is sorted."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._sorted: list[float] = []
        self._bins = [0] * BINS

    def load(self, numbers: Sequence[int], rewards: Sequence[float]) -> None:
        """Take in the first ones."""
        self._first = numbers[0] if numbers else None
        self._sorted = sorted(rewards)
        edges = (bisect_left(self._sorted, edge, key=_bin) for edge in range(1, BINS))
        self._bins = [end - start for start, end in pairwise((0, *edges, len(self._sorted)))]

    def add(self, number: int, reward: float) -> None:
        """Take in the next one."""
        if self._first is None:
            self._first = number
        insort(self._sorted, reward)
        self._bins[_bin(reward)] += 1

    def summary(self, label: str, done: int, of: int | None) -> StageRewards:
        """As clients see it, for a stage of which `done` trials of `of` counted."""
        rewards = self._sorted
        if not rewards:
            return StageRewards(label=label, done=done, of=of)
        last = len(rewards) - 1
        low, first, median, third, high = (rewards[round(last * share)] for share in (0, 0.25, 0.5, 0.75, 1))
        return StageRewards(
            label=label,
            done=done,
            of=of,
            first_trial=self._first,
            mean=math.fsum(rewards) / len(rewards),
            quartiles=(low, first, median, third, high),
            histogram=tuple(self._bins),
        )


def _bin(reward: float) -> int:
    return min(int(reward * BINS), BINS - 1)
