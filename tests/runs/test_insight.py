"""What a search has learned, on rows whose reward is a known function of their decisions."""

import numpy as np
import pytest

from nasd.runs.insight import MOST_LEVELS, front, importances


def test_the_front_holds_what_nothing_beats_by_ascending_cost() -> None:
    costs = np.array([5.0, 1.0, 3.0, 3.0, 9.0, 2.0, 1.0])
    rewards = np.array([0.8, 0.5, 0.7, 0.9, 0.9, 0.4, 0.5])
    assert front(costs, rewards).tolist() == [1, 3]  # 6 equals 1 and came later; 4 costs more than 3 for no more
    assert front(np.array([]), np.array([])).tolist() == []


def test_the_front_is_what_comparing_all_pairs_finds() -> None:
    random = np.random.default_rng(3)
    costs, rewards = random.integers(0, 40, 300).astype(float), random.integers(0, 40, 300).astype(float)
    beaten = [
        any((c < costs[i] and r >= rewards[i]) or (c <= costs[i] and r > rewards[i]) for c, r in zip(costs, rewards, strict=True))  # noqa: E501
        for i in range(300)
    ]  # fmt: skip
    expected = {(costs[i], rewards[i]) for i in range(300) if not beaten[i]}
    assert {(costs[i], rewards[i]) for i in front(costs, rewards)} == expected


@pytest.fixture(scope="module")
def known() -> tuple[list[dict[str, str | float]], np.ndarray]:
    """Reward: 0.5, 0.2 more with kernels of 5, 0.05 more with pooling; the noise and `idle` are worth nothing."""
    random = np.random.default_rng(1)
    rows: list[dict[str, str | float]] = []
    rewards = []
    for _ in range(4000):
        size, pooled = int(random.choice([3, 5])), bool(random.integers(2))
        row: dict[str, str | float] = {"size": size, "idle": int(random.integers(4)), "fixed": 1}
        if pooled:
            row["pooling"] = "2/2"
        rows.append(row)
        rewards.append(0.5 + 0.2 * (size == 5) + 0.05 * pooled + 0.02 * random.standard_normal())
    return rows, np.array(rewards)


def test_importance_of_an_additive_function_is_twice_its_share_of_the_variance(
    known: tuple[list[dict[str, str | float]], np.ndarray],
) -> None:
    rows, rewards = known
    found = importances(rows, rewards)
    of = {worth.name: worth for worth in found.worths}
    assert [worth.name for worth in found.worths] == ["size", "pooling", "idle"]  # what never varies says nothing
    total = 0.2**2 / 4 + 0.05**2 / 4 + 0.02**2
    assert of["size"].importance == pytest.approx(2 * 0.2**2 / 4 / total, abs=0.08)
    assert of["pooling"].importance == pytest.approx(2 * 0.05**2 / 4 / total, abs=0.03)
    assert abs(of["idle"].importance) < 0.01
    assert of["size"].spread < 0.1
    assert found.r2 == pytest.approx(1 - 0.02**2 / total, abs=0.02)
    assert found.rows == 4000


def test_effects_are_differences_of_means_with_their_error(
    known: tuple[list[dict[str, str | float]], np.ndarray],
) -> None:
    rows, rewards = known
    pooling = next(worth for worth in importances(rows, rewards).worths if worth.name == "pooling")
    assert [level.label for level in pooling.levels] == ["2/2", "none"]
    with_it, without = pooling.levels
    assert with_it.effect - without.effect == pytest.approx(0.05, abs=0.02)
    assert with_it.count + without.count == 4000
    assert with_it.error == pytest.approx(0.102 / np.sqrt(with_it.count), rel=0.1)


def test_many_values_become_groups_and_few_rows_say_nothing() -> None:
    random = np.random.default_rng(2)
    values = random.uniform(0, 100, 500)
    rows: list[dict[str, str | float]] = [{"mean": float(round(value, 2))} for value in values]
    (worth,) = importances(rows, values / 100).worths
    assert len(worth.levels) == MOST_LEVELS
    assert all(" to " in level.label for level in worth.levels)
    effects = [level.effect for level in worth.levels]
    assert effects == sorted(effects)
    assert importances(rows[:5], values[:5]).worths == ()
    assert importances([], np.array([])).worths == ()
    assert importances(rows, np.full(500, 0.5)).worths == ()
