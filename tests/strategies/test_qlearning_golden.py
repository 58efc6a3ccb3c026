"""The published code's Q-values after scripted updates."""

import json
from pathlib import Path

import pytest

from nasd.config import Config, LayersConfig
from nasd.spaces.layers import SearchSpace, State
from nasd.strategies.qlearning.strategy import QLearning

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"


@pytest.mark.parametrize("name", ["dpnas_28.json", "dpnas_fc_32.json"])
def test_q_values(name: str) -> None:
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"the golden values are not at {path}")
    golden = json.loads(path.read_text())
    limits = golden["config"]
    space = {key: value for key, value in limits.items() if key in LayersConfig.model_fields}
    search = {
        "learning_rate": limits["q_learning_rate"],
        "discount": limits["q_discount_factor"],
        "initial_q": limits["initial_q"],
    }
    config = Config.model_validate({"space": {**space, "large_conv_strides": []}, "search": search})
    strategy = QLearning(config, SearchSpace(config.space))
    for step in golden["q_updates"]["sequence"]:
        strategy.update(SearchSpace(config.space).parse(step["net"]), step["reward"])
    for wanted in golden["q_updates"]["result"]:
        value = strategy.q(State(*wanted["state"]), State(*wanted["action"]))
        assert value == pytest.approx(wanted["q"], rel=0, abs=1e-12)
    assert len(strategy._table.transitions) == len(golden["q_updates"]["result"])


def test_the_rule_by_hand() -> None:
    config = Config(space=LayersConfig(min_conv=2))
    space = SearchSpace(config.space)
    strategy = QLearning(config, space)
    architecture = space.parse("[C(16,3,1,1,1), C(16,3,1,1,1), SM(10)]")
    first, second, end = architecture.states
    for _ in range(2):
        strategy.update(architecture, 1.0)
    # start -> first sees the untouched actions of `first` at the initial value until `second` is worth more
    assert strategy.q(second, end) == 0.15 + 0.1 * (1 - 0.15) + 0.1 * (1 - (0.15 + 0.1 * (1 - 0.15)))
    assert strategy.q(first, second) > 0.15
    assert strategy.q(space.start(), first) > 0.15
    assert strategy.greedy(first) == [second]
    strategy.update(architecture, 0.0)
    assert strategy.q(second, space.actions(second)[1]) == 0.15


def test_a_bad_action_is_left_for_those_never_tried() -> None:
    config = Config(space=LayersConfig(min_conv=1))
    space = SearchSpace(config.space)
    strategy = QLearning(config, space)
    architecture = space.parse("[C(16,3,1,1,1), SM(10)]")
    strategy.update(architecture, 0.0)
    first = architecture.states[0]
    assert strategy.q(first, architecture.states[1]) == pytest.approx(0.135)
    assert strategy.q(space.start(), first) == 0.15  # the best of `first` is an action never tried
    assert strategy.greedy(first) == list(space.actions(first))[1:]
    assert strategy.greedy(space.start()) == list(space.actions(space.start()))


def test_only_architectures_of_the_space_are_learned() -> None:
    config = Config()
    space = SearchSpace(config.space)
    strategy = QLearning(config, space)
    with pytest.raises(ValueError, match="may not follow"):
        strategy.update(space.parse("[C(17,3,1,1,1), SM(10)]"), 1.0)
    assert strategy._table.states == []
