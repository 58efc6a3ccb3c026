"""Samples and mutations: every one is an architecture of the space, a mutation differs in one layer."""

from collections import Counter
from itertools import takewhile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd.config import LayersConfig
from nasd.spaces.layers import Architecture, SearchSpace

SPACES = {
    "dp-nas": SearchSpace(LayersConfig(max_fc=2)),
    "codebrim": SearchSpace(LayersConfig(form="codebrim", patch_size=64, max_fc=2, min_conv=2, max_conv=6)),
    "odd sizes": SearchSpace(
        LayersConfig(patch_size=13, min_conv=1, max_conv=5, conv_strides=(1, 2, 3), conv_features=(4, 8))
    ),
}


def layers(space: SearchSpace, architecture: Architecture) -> list[str]:
    return [space.text(state) for state in architecture.states]


def common(one: list[str], other: list[str]) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def differing(before: list[str], after: list[str]) -> tuple[int, int]:
    """How many layers are left of each without those that both begin and end with."""
    head = common(before, after)
    tail = common(before[head:][::-1], after[head:][::-1])
    return len(before) - head - tail, len(after) - head - tail


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_mutation_is_one_layer_changed_inserted_or_deleted(name: str, seed: int) -> None:
    space, random = SPACES[name], np.random.default_rng(seed)
    architecture = space.sample(random)
    assert space.contains(architecture)
    for _ in range(10):
        child = space.mutate(architecture, random)
        assert space.contains(child)
        assert space.parse(str(child)) == child
        before, after = layers(space, architecture), layers(space, child)
        assert before != after
        if space.config.form == "dp_nas":  # a pyramid's text names the features before it
            assert differing(before, after) in {(1, 1), (0, 1), (1, 0)}
        architecture = child


def test_all_three_changes_come_and_in_all_places() -> None:
    space, random = SPACES["dp-nas"], np.random.default_rng(0)
    architecture = space.parse("[" + "C(16,3,1,1,1), " * 5 + "FC(64), SM(10)]")
    lengths, changed = Counter[int](), Counter[int]()
    for _ in range(500):
        child = space.mutate(architecture, random)
        lengths[len(child.states) - len(architecture.states)] += 1
        if len(child.states) == len(architecture.states):
            pairs = zip(layers(space, child), layers(space, architecture), strict=True)
            changed[next(place for place, (new, old) in enumerate(pairs) if new != old)] += 1
    assert set(lengths) == {-1, 0, 1}
    assert min(lengths.values()) > 50
    assert set(changed) == set(range(6))


def test_an_architecture_without_neighbours_has_a_sample_as_its_mutation() -> None:
    limits: dict[str, Any] = {"conv_sizes": (1,), "conv_features": (8,), "pool_sizes": (), "wrn": False}
    space = SearchSpace(LayersConfig(min_conv=1, max_conv=1, **limits))
    random = np.random.default_rng(0)
    alone = space.sample(random)
    assert space.mutate(alone, random) == alone


def test_draws_come_from_the_given_stream_alone() -> None:
    space = SPACES["dp-nas"]
    drawn = []
    for _ in range(2):
        random = np.random.default_rng(7)
        architecture = space.sample(random)
        drawn.append([architecture, *(space.mutate(architecture, random) for _ in range(20))])
    assert drawn[0] == drawn[1]


def test_samples_are_uniform_over_the_actions_of_a_state() -> None:
    space, random = SPACES["odd sizes"], np.random.default_rng(3)
    first = Counter(space.sample(random).states[0] for _ in range(2000))
    actions = space.actions(space.start())
    assert set(first) == set(actions)
    expected = 2000 / len(actions)
    assert all(0.5 * expected < count < 1.6 * expected for count in first.values())
