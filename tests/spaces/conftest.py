import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nasd.config import LayersConfig
from nasd.spaces.layers import Architecture, SearchSpace

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"


@pytest.fixture(params=["dpnas_28.json", "dpnas_fc_32.json"], scope="session")
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Values obtained by running the published code, kept beside the repository."""
    path = GOLDEN / request.param
    if not path.exists():
        pytest.skip(f"the golden values are not at {path}")
    values: dict[str, Any] = json.loads(path.read_text())
    return values


@pytest.fixture(scope="session")
def golden_space(golden: dict[str, Any]) -> SearchSpace:
    """The published code as it is: without stride 2."""
    limits = {key: value for key, value in golden["config"].items() if key in LayersConfig.model_fields}
    return SearchSpace(LayersConfig(**limits, large_conv_strides=()))


@pytest.fixture(scope="session")
def space() -> SearchSpace:
    return SearchSpace(LayersConfig(max_fc=2))


@pytest.fixture(scope="session")
def walk() -> Callable[[SearchSpace, int], Architecture]:
    """A random architecture of a space."""

    def draw(space: SearchSpace, seed: int) -> Architecture:
        random, states = Random(seed), [space.start()]
        while not states[-1].terminate:
            states.append(random.choice(space.actions(states[-1])))
        return space.architecture(tuple(states[1:]))

    return draw
