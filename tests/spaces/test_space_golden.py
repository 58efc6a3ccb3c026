"""The published code's values, reproduced exactly."""

from typing import Any

from nasd.config import LayersConfig
from nasd.spaces.layers import SearchSpace, State, classifier_weights, conv_weights


def test_architectures(golden: dict[str, Any], golden_space: SearchSpace) -> None:
    for wanted in golden["architectures"]:
        architecture = golden_space.parse(wanted["net"])
        assert str(architecture) == wanted["net"]
        assert [list(state) for state in architecture.states] == wanted["states"]
        assert architecture.embedding_dim == wanted["embedding_dim"]
        assert (golden_space.feasible(architecture) is None) == wanted["feasible"]
        assert golden_space.contains(architecture)


def test_weights(golden: dict[str, Any], golden_space: SearchSpace) -> None:
    for wanted in golden["architectures"]:
        if "conv_weights" in wanted:
            architecture = golden_space.parse(wanted["net"])
            assert conv_weights(architecture, channels=1) == wanted["conv_weights"]
            assert classifier_weights(architecture) == wanted["classifier_weights"]


def test_transitions(golden: dict[str, Any], golden_space: SearchSpace) -> None:
    for wanted in golden["transitions"]:
        actions = golden_space.actions(State(*wanted["state"]))
        assert [list(action) for action in actions] == wanted["actions"]


def test_an_excerpt_for_where_the_golden_files_are_absent() -> None:
    space = SearchSpace(LayersConfig(large_conv_strides=()))
    architecture = space.parse("[C(1024,9,1,0,1), P(2,2,0,0), C(32,3,1,1,0), SM(10)]")
    assert [tuple(state) for state in architecture.states] == [
        ("conv", 1, 1024, 9, 1, 0, 20, 0, 0),
        ("max_pool", 1, 1024, 2, 2, 0, 10, 0, 0),
        ("wrn", 3, 32, 3, 1, 1, 10, 0, 0),
        ("wrn", 4, 32, 3, 1, 1, 10, 0, 1),
    ]
    assert space.actions(State("conv", 12, 16, 9, 1, 0, 4, 0, 0)) == (
        ("conv", 13, 16, 9, 1, 0, 4, 0, 1),
        ("max_pool", 12, 16, 2, 2, 0, 2, 0, 0),
    )
