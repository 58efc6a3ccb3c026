import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nasd.config import Config, DataConfig, LayersConfig
from nasd.data import load
from nasd.spaces.layers import SearchSpace

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small tensors on a busy machine: a second thread is mostly waited for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits():
    return load(DataConfig(), 1)


@pytest.fixture(scope="session")
def few(digits):
    """300 training images: three mini-batches of 128, the last one shorter."""
    return replace(digits, train=digits.train.take(torch.arange(300)))


@pytest.fixture(scope="session")
def parse():
    return lambda text, side=8: SearchSpace(LayersConfig(patch_size=side)).parse(text)


@pytest.fixture(scope="session")
def golden():
    path = GOLDEN / "dpnas_28.json"
    if not path.exists():
        pytest.skip("the golden values are not on this machine")
    return json.loads(path.read_text())["architectures"]


@pytest.fixture
def configure():
    """A Config from changes to its sections, such as `configure(encoder={"batch_norm": 0})`; three epochs."""

    def build(**sections):
        sections["training"] = {"epochs": 3} | sections.get("training", {})
        return Config.model_validate(sections)

    return build
