"""Hypothesis 3: training the parameters too helps, but the best deep priors are already close to what can be achieved
(arXiv 2104.06788, section 3.3).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nasd.correlation import rank_correlation
from nasd.experiments.h2 import ORDER, SIGNIFICANT
from nasd.experiments.measuring import Measured
from nasd.experiments.statistics import paired_p, rank_correlation_p


@dataclass(frozen=True)
class Gain:
    """What full training adds to the reward of deep priors. Rewards are fractions.

    Attributes:
        mean: Reward of the full training less the deep prior's, mean over architectures.
        p: Of a mean gain this high if training did not matter, by a permutation test of signs.
        by_group: Each group's mean gain, worst group first.
        correlation: Rank correlation between the deep prior's reward and the gain.
        correlation_p: Of one this low, by a permutation test.
        best_prior: The highest reward of a deep prior.
        best_trained: The highest mean reward of a full training.
    """

    architectures: int
    mean: float
    p: float
    by_group: tuple[tuple[str, float], ...]
    correlation: float
    correlation_p: float
    best_prior: float
    best_trained: float

    @property
    def supported(self) -> bool:
        """Training helps, and the less the better the deep prior is."""
        return self.p < SIGNIFICANT and self.correlation_p < SIGNIFICANT

    def __str__(self) -> str:
        verdict = "is supported" if self.supported else "is not supported"
        groups = ", ".join(f"{name} {100 * gain:+.1f}" for name, gain in self.by_group)
        return (
            f"Hypothesis 3 (no further inference needed) {verdict}: training {self.architectures} architectures in "
            f"full changes their reward by {100 * self.mean:+.2f} percentage points on average (p = {self.p:.4f}, "
            f"permutation of signs; {groups}), the gain and the deep prior's reward have the rank correlation "
            f"{self.correlation:.2f} (p = {self.correlation_p:.4f}), and the best deep prior reaches "
            f"{100 * self.best_prior:.1f} % where the best full training reaches {100 * self.best_trained:.1f} %."
        )


def gain(rows: Sequence[Measured]) -> Gain:
    """Compare the rewards of full trainings with what the search saw of the same architectures as deep priors."""
    priors = [row.search_reward for row in rows]
    trained = [statistics.fmean(row.rewards) for row in rows]
    gains = [after - before for before, after in zip(priors, trained, strict=True)]
    groups = [name for name in ORDER if any(row.group == name for row in rows)]
    return Gain(
        architectures=len(rows),
        mean=statistics.fmean(gains),
        p=paired_p(gains),
        by_group=tuple(
            (name, statistics.fmean(g for g, row in zip(gains, rows, strict=True) if row.group == name))
            for name in groups
        ),
        correlation=rank_correlation(priors, gains),
        correlation_p=rank_correlation_p(priors, [-g for g in gains]),
        best_prior=max(priors),
        best_trained=max(trained),
    )
