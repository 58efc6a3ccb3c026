"""Which layers may follow which, and what is feasible."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasd.config import LayersConfig
from nasd.errors import ConfigError
from nasd.spaces.layers import Architecture, SearchSpace, State

Walk = Callable[[SearchSpace, int], Architecture]


def _types(actions: tuple[State, ...]) -> set[str]:
    return {"end" if action.terminate else action.layer_type for action in actions}


def test_stride_two_needs_sizes_that_divide(space: SearchSpace) -> None:
    odd = State("conv", 1, 16, 2, 1, 0, 27, 0, 0)
    halved = [a for a in space.actions(odd) if a.layer_type == "conv" and a.stride == 2]
    assert {(a.filter_size, a.padding, a.image_size) for a in halved} == {
        (7, 0, 11), (7, 3, 14), (9, 0, 10), (9, 4, 14), (11, 0, 9), (11, 5, 14),
    }  # fmt: skip


def test_blocks_can_be_switched_off() -> None:
    space = SearchSpace(LayersConfig(wrn=False))
    assert _types(space.actions(space.start())) == {"conv"}


def test_nothing_follows_the_end(space: SearchSpace) -> None:
    assert space.actions(space.parse("[C(16,3,1,1,1), SM(10)]").states[-1]) == ()


def test_the_end_comes_after_the_fewest_layers(space: SearchSpace) -> None:
    assert "end" not in _types(space.actions(State("conv", 2, 16, 3, 1, 1, 28, 0, 0)))
    assert {"end", "fc", "conv", "wrn", "max_pool"} == _types(space.actions(State("conv", 3, 16, 3, 1, 1, 28, 0, 0)))
    assert _types(space.actions(State("conv", 12, 16, 3, 1, 1, 4, 0, 0))) == {"end", "fc", "max_pool"}


def test_no_more_fc_layers_than_allowed_and_never_larger() -> None:
    space = SearchSpace(LayersConfig(max_fc=2))
    first = State("fc", 4, 0, 0, 0, 0, 0, 64, 0)
    assert [a.fc_size for a in space.actions(first) if not a.terminate] == [32, 64]
    assert _types(space.actions(State("fc", 5, 1, 0, 0, 0, 0, 64, 0))) == {"end"}


def test_a_state_that_nothing_can_follow_may_end() -> None:
    space = SearchSpace(LayersConfig(conv_sizes=(3, 5), pool_sizes=(2,), pool_strides=(1,), wrn=False, min_conv=5))
    stuck = State("max_pool", 1, 16, 2, 1, 0, 3, 0, 0)  # a pool of 2 would fit into 3, but must not follow a pool
    assert _types(space.actions(stuck)) == {"end"}


def test_images_that_no_layer_fits_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="conv_sizes"):
        SearchSpace(LayersConfig(patch_size=3, conv_sizes=(3, 5), wrn=False))


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(tuple)


@given(
    limits=st.fixed_dictionaries(
        {
            "patch_size": st.integers(2, 40),
            "min_conv": st.integers(0, 4),
            "max_conv": st.integers(4, 8),
            "max_fc": st.integers(0, 3),
            "conv_sizes": sizes,
            "conv_strides": sizes,
            "large_conv_strides": sizes,
            "large_conv_size": st.integers(1, 9),
            "wrn": st.booleans(),
            "pool_sizes": sizes,
            "pool_strides": sizes,
        }
    ),
    seed=st.integers(0, 2**32),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_walk_ends_and_can_be_read_whatever_the_limits(walk: Walk, limits: dict[str, Any], seed: int) -> None:
    try:
        space = SearchSpace(LayersConfig(**limits, conv_features=(8, 16)))
    except ConfigError:
        return
    architecture = walk(space, seed)
    state = space.start()
    for action in architecture.states:
        actions = space.actions(state)
        assert len(set(actions)) == len(actions)
        state = action
    assert space.contains(architecture)
    assert space.parse(str(architecture)) == architecture
    assert len([s for s in architecture.layers if s.layer_type == "fc"]) <= limits["max_fc"]


def test_contains_tells_what_can_be_built_from_what_can_be_proposed(space: SearchSpace) -> None:
    assert space.contains(space.parse("[C(16,3,1,1,1), C(16,3,1,1,1), C(16,3,1,1,1), SM(10)]"))
    assert not space.contains(space.parse("[C(16,3,1,1,1), SM(10)]"))  # too few layers
    assert not space.contains(space.parse("[C(17,3,1,1,1), C(16,3,1,1,1), C(16,3,1,1,1), SM(10)]"))  # 17 features


def test_infeasible_says_why(space: SearchSpace) -> None:
    wide = space.feasible(space.parse("[C(1024,1,1,0,1), P(4,4,0,0), SM(10)]"))
    assert wide is not None
    assert "50176 values" in wide.reason
    large = space.feasible(space.parse("[C(16,3,1,1,1), SM(10)]"))
    assert large is not None
    assert "28 pixels" in large.reason
    assert space.feasible(space.parse("[C(16,3,1,1,1), P(4,4,0,0), SM(10)]")) is None


def test_networks_above_a_limit_on_weights_or_operations_are_infeasible() -> None:
    net = "[C(16,3,1,1,1), P(4,4,0,0), SM(10)]"
    weights, multiply_adds = 9 * 16 + 10 * 16 * 7**2, 9 * 16 * 28**2 + 10 * 16 * 7**2
    for limits, reason in (
        ({"max_parameters": weights}, None),
        ({"max_parameters": weights - 1}, f"It has {weights:,} weights, above max_parameters {weights - 1:,}."),
        ({"max_gflops": 2 * multiply_adds / 1e9}, None),
        ({"max_gflops": 2e-4}, "An image takes 0.000241 GFLOP, above max_gflops 0.0002."),
    ):
        limited = SearchSpace(LayersConfig.model_validate(limits))
        found = limited.feasible(limited.parse(net))
        assert (found and found.reason) == reason


def test_the_caches_stay_bounded() -> None:
    space = SearchSpace(LayersConfig(patch_size=224, conv_sizes=(3, 5), conv_features=(8,)))
    random = Random(0)
    for _ in range(5000):
        space.actions(
            State("conv", random.randrange(12), random.randrange(1, 999), 3, 1, 1, random.randrange(224), 0, 0)
        )
    caches = (space._transitions._convolutions, space._transitions._pooling)
    assert all(cache.cache_info().currsize <= cache.cache_info().maxsize for cache in caches)
