"""Networks made of cells: what torch builds and counts is what the space said."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nasd.config import EncoderConfig
from nasd.config.cells import CellsConfig
from nasd.evaluators.networks.cells import OperationModule
from nasd.evaluators.networks.encoder import Encoder
from nasd.spaces.cells import OPERATORS, CellSpace
from nasd.spaces.cells.operators import operation
from nasd.spaces.cells.skeleton import reductions

PNASNET5 = (
    "cell[(h-2 sep5x5, h-2 max3x3), (h-1 sep7x7, h-1 max3x3), (h-1 sep5x5, h-1 sep3x3), "
    "(b3 sep3x3, h-1 max3x3), (h-2 sep3x3, h-1 id)]"
)


def weights(module):
    return sum(conv.weight.numel() for conv in module.modules() if isinstance(conv, torch.nn.Conv2d))


def multiply_adds(module, images):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = module(images)
    return out, counter.get_total_flops() // 2 // len(images)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("inputs", "outputs"), [(6, 6), (4, 6)])
@pytest.mark.parametrize("size", [1, 7, 8])
def test_every_operator_has_the_shape_and_costs_that_it_says(operator, stride, inputs, outputs, size):
    described = operation(operator, inputs, outputs, stride)
    module = OperationModule(described, eps=1e-4)
    out, work = multiply_adds(module, torch.rand(2, inputs, size, size))
    assert out.shape == (2, outputs, -(-size // stride), -(-size // stride))
    assert weights(module) == described.parameters
    assert work == described.multiply_adds(size)


configs = st.builds(
    CellsConfig,
    blocks=st.integers(1, 5),
    operators=st.just(OPERATORS),
    lookback=st.integers(1, 4),
    combine=st.sampled_from(["add", "concat"]),
    filters=st.integers(1, 6),
    repeats=st.integers(1, 2),
    reductions=st.integers(0, 3),
    reduce=st.sampled_from(["between", "first"]),
    stem=st.integers(0, 2),
    patch_size=st.integers(5, 33),
    channels=st.integers(1, 3),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(configs, st.integers(0, 2**32))
def test_random_networks_have_the_shapes_and_costs_of_their_graph(config, seed):
    space = CellSpace(config)
    cell = space.sample(np.random.default_rng(seed))
    graph = space.graph(cell)
    encoder = Encoder(cell, config.channels, EncoderConfig())
    encoder.initialise(torch.Generator().manual_seed(1))
    out, work = multiply_adds(encoder, torch.rand(2, config.channels, config.patch_size, config.patch_size))
    classifier = encoder.embedding_dim * config.num_classes
    assert out.shape == (2, encoder.embedding_dim)
    assert out.isfinite().all()
    assert graph.nodes[-2].shape == (encoder.embedding_dim,)
    assert weights(encoder) == graph.parameters - classifier
    assert work == graph.operations - classifier
    assert all(before < after for before, after in graph.edges)


def test_pnasnet5_has_about_the_published_number_of_weights():
    """3.2 million (arXiv 1712.00559, table 3) where the first cell of a stage reduces, as in the published code."""
    sizes = {"filters": 48, "repeats": 3, "patch_size": 32, "channels": 3}
    for reduce, parameters in (("first", 3_147_504), ("between", 4_233_840)):
        space = CellSpace(CellsConfig(reduce=reduce, **sizes))
        cell = space.parse(PNASNET5)
        assert space.graph(cell).parameters == parameters
        with torch.device("meta"):
            encoder = Encoder(cell, 3, EncoderConfig())
        assert weights(encoder) == parameters - encoder.embedding_dim * 10


@pytest.mark.parametrize(
    ("size", "times", "left"), [(8, 1, 4), (28, 2, 7), (32, 2, 8), (64, 2, 8), (224, 2, 14), (5, 0, 5)]
)
def test_the_skeleton_follows_the_size_of_the_images(size, times, left):
    config = CellsConfig(patch_size=size)
    assert reductions(config) == times
    network = CellSpace(config).parse("cell[(h-1 id, h-2 id)]").skeleton
    assert network.shape.size == left


def test_the_same_seed_draws_the_same_network():
    config = CellsConfig(filters=4, repeats=1, patch_size=8)
    cell = CellSpace(config).parse("cell[(h-1 sep3x3, h-2 max3x3), (b1 id, h-1 avg3x3)]")
    outs = []
    for seed in (3, 3, 4):
        with torch.device("meta"):
            encoder = Encoder(cell, config.channels, EncoderConfig())
        encoder.to_empty(device="cpu")
        encoder.initialise(torch.Generator().manual_seed(seed))
        outs.append(encoder.eval()(torch.ones(2, 1, 8, 8)))
    assert outs[0].equal(outs[1])
    assert not outs[0].equal(outs[2])
