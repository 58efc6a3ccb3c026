"""What was decided about an architecture, in each space."""

import numpy as np
import pytest

from nasd.config import CellsConfig, LayersConfig, SupernetConfig
from nasd.spaces.base import Space
from nasd.spaces.cells import CellSpace
from nasd.spaces.layers import SearchSpace
from nasd.spaces.supernet import SupernetSpace


def test_of_layers_by_place_and_of_the_whole() -> None:
    space = SearchSpace(LayersConfig(patch_size=28, num_classes=10))
    found = space.decisions(space.parse("[C(32,5,1,2,1), P(2,2,0,0), C(64,3,1,1,0), C(128,7,2,0,1), SM(10)]"))
    assert found == {
        "depth": 4, "pooling layers": 1, "residual blocks": 1, "linear layers": 0,
        "conv size, mean": 5.0, "features, mean": 75,
        "layer 1: size": 5, "layer 1: features": 32, "layer 1: stride": 1, "layer 1: pooling": "2/2",
        "layer 2: size": "residual", "layer 2: features": 64, "layer 2: stride": 1, "layer 2: pooling": "no",
        "layer 3: size": 7, "layer 3: features": 128, "layer 3: stride": 2, "layer 3: pooling": "no",
    }  # fmt: skip


def test_of_cells_what_occurs_how_often() -> None:
    space = CellSpace(CellsConfig(operators=("id", "sep3x3", "max3x3"), lookback=2))
    found = space.decisions(space.parse("cell[(h-1 id, h-2 sep3x3), (h-1 sep3x3, b1 sep3x3)]"))
    assert found == {
        "blocks": 2, "operator id": 1, "operator sep3x3": 3, "operator max3x3": 0, "reads h-1": 2, "reads h-2": 1,
        "blocks that others read": 1,
    }  # fmt: skip


def test_of_a_supernet_each_units_choice() -> None:
    space = SupernetSpace(SupernetConfig(patch_size=32))
    architecture = space.sample(np.random.default_rng(0))
    assert tuple(space.decisions(architecture).values()) == architecture.choices
    assert list(space.decisions(architecture)) == [unit.label for unit in space.skeleton.units]


@pytest.mark.parametrize(
    "space",
    [SearchSpace(LayersConfig(max_fc=2)), CellSpace(CellsConfig()), SupernetSpace(SupernetConfig(patch_size=32))],
    ids=["layers", "cells", "supernet"],
)
def test_says_all_of_any_architecture_in_the_same_order(space: Space[object]) -> None:
    """Names are few, and an architecture that is read again has the same decisions."""
    random = np.random.default_rng(0)
    drawn = [space.sample(random) for _ in range(50)]
    names = {name for architecture in drawn for name in space.decisions(architecture)}
    assert len(names) < 100
    for architecture in drawn:
        assert space.decisions(space.parse(str(architecture))) == space.decisions(architecture)
