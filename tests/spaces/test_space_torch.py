"""The sizes that states hold are the sizes that torch computes."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasd.config import LayersConfig
from nasd.spaces.layers import Architecture, SearchSpace, State

torch = pytest.importorskip("torch")

SPACE = SearchSpace(LayersConfig())


def _torch_size(side: int, state: State) -> int:
    """Side of the output, for one channel on torch's device that only computes shapes."""
    if state.layer_type == "max_pool":
        layer = torch.nn.MaxPool2d(state.filter_size, state.stride, state.padding)
    else:
        layer = torch.nn.Conv2d(1, 1, state.filter_size, state.stride, state.padding, bias=False, device="meta")
    height, width = layer(torch.empty(1, 1, side, side, device="meta")).shape[2:]
    assert height == width
    return int(height)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_action_leads_where_torch_leads(walk: Callable[[SearchSpace, int], Architecture], seed: int) -> None:
    for state in (SPACE.start(), *walk(SPACE, seed).layers):
        shapes = {
            (a.filter_size, a.stride, a.padding, a.layer_type == "max_pool"): a
            for a in SPACE.actions(state)
            if not a.terminate
        }
        for action in shapes.values():
            assert _torch_size(state.image_size, action) == action.image_size


@pytest.mark.parametrize(
    "text",
    [
        "[C(8,5,3,4,1), P(3,2,0,0), C(8,4,3,1,1), SM(10)]",
        "[C(8,2,5,1,1), P(4,9,0,0), SM(10)]",
        "[C(8,28,1,1), SM(10)]",
    ],
)
def test_sizes_outside_the_space_round_down_as_in_torch(text: str) -> None:
    side = SPACE.start().image_size
    for state in SPACE.parse(text).encoder:
        side = _torch_size(side, state)
        assert state.image_size == side
