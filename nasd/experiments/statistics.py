"""The few statistics that the experiments need, without scipy."""

import math
import statistics
from collections.abc import Sequence
from random import Random

from nasd.correlation import ranks

PERMUTATIONS = 9_999


def rank_correlation_p(x: Sequence[float], y: Sequence[float], seed: int = 0) -> float:
    """How likely a rank correlation at least this high is where x and y have nothing to do with each other.

    A one-sided permutation test; the observed order counts as one of the permutations, so that it is never 0.
    """
    of_x, of_y = ranks(x), ranks(y)
    observed = _product(of_x, of_y)
    random, shuffled, as_high = Random(seed), list(of_y), 1  # noqa: S311 - a test, not a secret
    for _ in range(PERMUTATIONS):
        random.shuffle(shuffled)
        as_high += _product(of_x, shuffled) >= observed - 1e-9
    return as_high / (PERMUTATIONS + 1)


def paired_p(differences: Sequence[float], seed: int = 0) -> float:
    """How likely a mean difference at least this high is where each could as well have had the other sign.

    A one-sided permutation test of signs, counted as in `rank_correlation_p`.
    """
    observed, random, as_high = math.fsum(differences), Random(seed), 1  # noqa: S311 - as above
    for _ in range(PERMUTATIONS):
        as_high += math.fsum(d if random.random() < 0.5 else -d for d in differences) >= observed - 1e-12
    return as_high / (PERMUTATIONS + 1)


def pooled_deviation(samples: Sequence[Sequence[float]]) -> float:
    """The standard deviation within samples that may have different means; each has at least two values."""
    squares = math.fsum(statistics.variance(sample) * (len(sample) - 1) for sample in samples)
    return math.sqrt(squares / sum(len(sample) - 1 for sample in samples))


def _product(x: Sequence[float], y: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(x, y, strict=True))
