"""The worked example of docs/adding-a-strategy.md: under the contract, and in a real search on digits."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from nasd.config import Config
from nasd.spaces.layers import SearchSpace
from nasd.strategies.base import Strategy
from tests.strategies.contract import Case, StrategyContract
from tests.strategies.test_contract import SPACE

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-strategy.md"


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)


@pytest.fixture(scope="module", name="module")
def _module() -> ModuleType:
    module = ModuleType("hill_climbing")
    exec(compile(example(), str(PAGE), "exec"), module.__dict__)  # the page's own code
    return module


def configure(module: ModuleType, seed: int, trials: int) -> Config:
    section = module.HillClimbingConfig(trials=trials, patience=5)
    return Config.model_validate({"seed": seed}).model_copy(update={"search": section})


def test_it_is_short() -> None:
    assert len(example().splitlines()) < 80


class TestExample(StrategyContract):
    @pytest.fixture(name="case")
    def _case(self, module: ModuleType) -> Case:
        def make(seed: int) -> Strategy:
            made: Strategy = module.HillClimbing(configure(module, seed, 40), SPACE)
            return made

        return Case(make, waits=True)


def test_it_searches_digits(module: ModuleType) -> None:
    from nasd.data import load
    from nasd.evaluators.deep_prior.evaluation import evaluate
    from nasd.seeding import trial_seed
    from tests.helpers.searches import configure as small

    config = small(seed=1).model_copy(update={"search": module.HillClimbingConfig(trials=8, patience=3)})
    data, space = load(config.data, config.seed), SearchSpace(config.space)
    strategy = module.HillClimbing(config, space)
    rewards = []
    while not strategy.finished:
        (proposal,) = strategy.propose(1)
        outcome = None
        if proposal.kind == "evaluate":
            seed = trial_seed(config.seed, proposal.number)
            outcome = evaluate(space.parse(proposal.net), data, config, seed, "cpu")
        rewards.append(strategy.observe(proposal, outcome).reward)
    assert sum(reward > 0 for reward in rewards) == 8
    assert max(rewards) > 0.5
