"""Which trials are encoded whole: those that are among the best of the search so far at each of some rungs.

Successive halving (arXiv 1603.06560) against the search's own past instead of a bracket, so that it needs no trial to
wait for others. A trial that is stopped at a rung has no reward of its own. What the strategy learns from is an
estimate: its score there plus the mean of what full evaluations so far had more than their scores at that rung. So the
rewards of both kinds are on one scale, and a score from few images is not taken for a bad architecture.
"""

from bisect import bisect_right
from typing import NamedTuple

from nasd.config import RungsConfig
from nasd.evaluators.deep_prior.screening import Screen
from nasd.evaluators.orders import Rung
from nasd.outcome import RungScores


class Rungs:
    """The scores of a search at each rung, and its rewards."""

    def __init__(self, config: RungsConfig) -> None:
        self._rungs = {
            images: (Screen(keep, config.after), _Gains())
            for images, keep in zip(config.images, config.keep, strict=True)
        }

    def add(self, order: int, reward: float, found: RungScores) -> None:
        """Add a trial that was observed as the `order`-th; later ones have higher orders.

        Args:
            order: From 1.
            reward: Its own, or, if it was cut, the estimate.
            found: At the rungs that it reached; those that the config does not have, as after a fork, do not count.
        """
        for images, score in zip(found.images or self._rungs, found.scores, strict=False):
            if images in self._rungs:
                screen, gains = self._rungs[images]
                screen.add(order, score)
                if not found.cut:
                    gains.add(order, reward - score)

    def order(self, observed: int) -> tuple[Rung, ...]:
        """What a trial is held to, by the trials up to that order and by none that came later."""
        return tuple(
            Rung(images=images, floor=screen.floor(observed), gain=gains.mean(observed))
            for images, (screen, gains) in self._rungs.items()
        )


class _Sum(NamedTuple):
    order: int
    values: int
    total: float


class _Gains:
    """How much more than their score the trials have that were evaluated fully."""

    def __init__(self) -> None:
        self._sums = [_Sum(0, 0, 0.0)]

    def add(self, order: int, gain: float) -> None:
        last = self._sums[-1]
        self._sums.append(_Sum(order, last.values + 1, last.total + gain))

    def mean(self, observed: int) -> float:
        """Of the trials up to that order; 0 if there is none."""
        _, values, total = self._sums[bisect_right(self._sums, observed, key=lambda sums: sums.order) - 1]
        return total / values if values else 0.0


def estimate(score: float, gain: float) -> float:
    """The reward of a trial that is stopped at a rung, a fraction."""
    return min(max(score + gain, 0.0), 1.0)
