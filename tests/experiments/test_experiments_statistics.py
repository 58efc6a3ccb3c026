"""The statistics against values known otherwise, and what the sentences conclude from them."""

import dataclasses
import random
import statistics

import pytest

from nasd.correlation import rank_correlation, ranks
from nasd.experiments import Measured
from nasd.experiments.h2 import spread
from nasd.experiments.h3 import gain
from nasd.experiments.statistics import paired_p, pooled_deviation, rank_correlation_p


def rows(means, noise, repeats=5, seed=1):
    draw = random.Random(seed)

    def repeated(mean):
        return tuple({"reward": draw.gauss(mean, noise)} for _ in range(repeats))

    groups = ["low"] * 6 + ["mid"] * 6 + ["top"] * 6
    return [
        Measured(
            group=group, trial=n, net=f"net{n}", search_reward=draw.gauss(mean, noise), job=n, repeats=repeated(mean)
        )
        for n, (group, mean) in enumerate(zip(groups, means, strict=True))
    ]


def test_ranks_are_shared_by_ties():
    assert ranks([3.0, 1.0, 3.0, 2.0, 3.0]) == [4.0, 1.0, 4.0, 2.0, 4.0]
    assert ranks([]) == []


def test_rank_correlation():
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 90]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # R: cor(c(1,2,2,4,5), c(2,1,4,3,5), method = "spearman")
    assert rank_correlation([1, 2, 2, 4, 5], [2, 1, 4, 3, 5]) == pytest.approx(0.6668859)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0.0


def test_permutation_p():
    ordered = list(range(18))
    assert rank_correlation_p(ordered, ordered) == 1e-4
    assert rank_correlation_p(ordered, ordered[::-1]) == 1.0
    # Of the 24 orders of four values only one is as high.
    assert rank_correlation_p([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1 / 24, abs=0.01)
    assert rank_correlation_p([1] * 5, [1, 2, 3, 4, 5]) == 1.0


def test_paired_p():
    assert paired_p([0.1] * 4) == pytest.approx(1 / 16, abs=0.01)
    assert paired_p([-0.1] * 4) == 1.0
    assert 0.3 < paired_p([0.1, -0.1, 0.2, -0.2]) < 0.8


def test_pooled_deviation():
    one = [1.0, 2.0, 4.0]
    assert pooled_deviation([one]) == pytest.approx(statistics.stdev(one))
    assert pooled_deviation([one, [value + 100 for value in one]]) == pytest.approx(statistics.stdev(one))


def test_architectures_that_differ_more_than_their_weights_support_hypothesis_2():
    found = spread(rows([0.5] * 6 + [0.7] * 6 + [0.9] * 6, 0.01))
    assert found.supported
    assert found.within == pytest.approx(0.01, rel=0.4)
    assert found.gap == pytest.approx(0.2, abs=0.02)
    assert "is supported: drawing the weights of 18 architectures 5 times anew" in str(found)


@pytest.mark.parametrize("means", [[0.7] * 18, [0.9] * 6 + [0.7] * 6 + [0.5] * 6])
def test_a_lottery_does_not(means):
    found = spread(rows(means, 0.1))
    assert not found.supported
    assert "is not supported" in str(found)


def trained(gains, noise=0.005):
    priors = [0.5 + 0.02 * place for place in range(18)]
    found = rows([prior + more for prior, more in zip(priors, gains, strict=True)], noise, repeats=2)
    return [dataclasses.replace(row, search_reward=prior) for row, prior in zip(found, priors, strict=True)]


def test_training_that_helps_the_best_least_supports_hypothesis_3():
    found = gain(trained([0.36 - 0.02 * place for place in range(18)]))
    assert found.supported
    assert found.mean == pytest.approx(0.19, abs=0.01)
    assert [name for name, _ in found.by_group] == ["low", "mid", "top"]
    assert found.by_group[0][1] > found.by_group[2][1] > 0
    assert (round(found.best_prior, 2), round(found.best_trained, 1)) == (0.84, 0.9)
    assert "is supported: training 18 architectures in full changes their reward by +19" in str(found)


@pytest.mark.parametrize("gains", [[0.1] * 18, [0.0] * 18, [-0.36 + 0.02 * place for place in range(18)]])
def test_training_that_does_not_support_it(gains):
    assert not gain(trained(gains, 0.02)).supported
