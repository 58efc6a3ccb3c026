"""Hypothesis 2: a deep prior does not depend on which weights were drawn, there is no initialisation lottery
(arXiv 2104.06788, section 3.2).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nasd.correlation import rank_correlation
from nasd.experiments.measuring import Measured
from nasd.experiments.statistics import pooled_deviation, rank_correlation_p

SIGNIFICANT = 0.05
ORDER = ("low", "mid", "top")


@dataclass(frozen=True)
class Spread:
    """How far new weights move an architecture, against how far apart the groups are. Rewards are fractions.

    Attributes:
        within: Standard deviation of an architecture's rewards, pooled over architectures.
        means: Each group's mean reward, worst group first.
        correlation: Rank correlation between the search's reward and the mean of the repeated ones.
        p: Of that correlation, by a permutation test.
    """

    architectures: int
    repeats: int
    within: float
    means: tuple[tuple[str, float], ...]
    correlation: float
    p: float

    @property
    def gap(self) -> float:
        """The smallest distance between neighbouring groups; negative where they changed places."""
        return min(better - worse for (_, worse), (_, better) in pairwise(self.means))

    @property
    def supported(self) -> bool:
        """New weights move an architecture less than groups are apart, and keep their order."""
        return self.within < self.gap and self.p < SIGNIFICANT

    def __str__(self) -> str:
        verdict = "is supported" if self.supported else "is not supported"
        groups = ", ".join(f"{name} {100 * mean:.1f} %" for name, mean in self.means)
        return (
            f"Hypothesis 2 (no initialisation lottery) {verdict}: drawing the weights of {self.architectures} "
            f"architectures {self.repeats} times anew moves an architecture's reward by {100 * self.within:.2f} "
            f"percentage points (standard deviation), the groups ({groups}) are at least {100 * self.gap:.2f} apart, "
            f"and first and repeated rewards have the rank correlation {self.correlation:.2f} (p = {self.p:.4f}, "
            "permutation test)."
        )


def spread(rows: Sequence[Measured]) -> Spread:
    """Compare; each architecture has at least two repeats, and there are at least two groups."""
    means = [statistics.fmean(row.rewards) for row in rows]
    first = [row.search_reward for row in rows]
    groups = [name for name in ORDER if any(row.group == name for row in rows)]
    of_group = [statistics.fmean(m for m, row in zip(means, rows, strict=True) if row.group == g) for g in groups]
    return Spread(
        architectures=len(rows),
        repeats=len(rows[0].repeats),
        within=pooled_deviation([row.rewards for row in rows]),
        means=tuple(zip(groups, of_group, strict=True)),
        correlation=rank_correlation(first, means),
        p=rank_correlation_p(first, means),
    )
