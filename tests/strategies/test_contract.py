"""Every strategy, on the space of layers, under the contract; and a strategy of the tests that has work and levels."""

from collections.abc import Callable
from typing import Any

import pytest

from nasd.config import Config, LayersConfig
from nasd.spaces.layers import SearchSpace
from nasd.strategies.base import Strategy
from nasd.strategies.evolution.strategy import Evolution
from nasd.strategies.qlearning.strategy import QLearning
from nasd.strategies.random.strategy import RandomSearch
from tests.strategies import enas, levels
from tests.strategies.contract import Case, StrategyContract

TINY: dict[str, Any] = {
    "patch_size": 8, "min_conv": 1, "max_conv": 3, "conv_sizes": (1, 3), "conv_features": (4, 8, 16),
    "large_conv_strides": (), "wrn": True, "pool_sizes": (2,), "pool_strides": (2,), "max_num_fc_input": 600,
}  # fmt: skip
SPACE = SearchSpace(LayersConfig(**TINY))
MINUTE = SearchSpace(LayersConfig(**{**TINY, "max_conv": 1, "wrn": False, "pool_sizes": (), "conv_features": (4, 8)}))


def config(seed: int, strategy: str, **search: Any) -> Config:
    return Config.model_validate({"seed": seed, "search": {"strategy": strategy, **search}})


def random(seed: int, space: SearchSpace = SPACE) -> Strategy:
    return RandomSearch(config(seed, "random", trials=40), space)


def evolution(trials: int, population: int) -> Callable[[int], Strategy]:
    sizes = {"trials": trials, "population": population, "sample_size": 3}
    return lambda seed: Evolution(config(seed, "evolution", **sizes), SPACE)


def qlearning(seed: int) -> Strategy:
    schedule = [[1.0, 20], [0.5, 20], [0.1, 10]]
    return QLearning(config(seed, "qlearning", epsilon_schedule=schedule, replay_number=10), SPACE)


CASES = {
    "enas": enas.CASE,
    "random": Case(random, waits=True),
    "random, in a space of few architectures": Case(lambda seed: random(seed, MINUTE), waits=True),
    "evolution": Case(evolution(60, 10), waits=True),
    "evolution that ends with its first population": Case(evolution(12, 50), waits=True),
    "qlearning": Case(qlearning),
    "levels": Case(lambda seed: levels.Levels(SPACE, seed), think=levels.think, waits=True),
}


class TestStrategies(StrategyContract):
    @pytest.fixture(params=CASES, name="case")
    def _case(self, request: pytest.FixtureRequest) -> Case:
        return CASES[request.param]
