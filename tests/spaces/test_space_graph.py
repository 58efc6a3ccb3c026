"""An architecture as a graph: shapes, weights, multiply-adds."""

import numpy as np
import pytest

from nasd.config import EncoderConfig, LayersConfig
from nasd.spaces.layers import SearchSpace, classifier_weights, conv_weights

NET = "[C(32,5,1,2,1), P(4,4,0,0), C(32,3,1,1,0), C(16,3,1,1,0), FC(64), SM(10)]"
SPACE = SearchSpace(LayersConfig(max_fc=2, channels=3))


def test_nodes_from_the_image_to_the_classifier() -> None:
    graph = SPACE.graph(SPACE.parse(NET))
    residual = 9 * 32 * 32 * 2
    narrower = 9 * 32 * 16 + 9 * 16 * 16 + 32 * 16
    assert [(n.kind, n.text, n.shape, n.parameters, n.operations) for n in graph.nodes] == [
        ("input", "", (3, 28, 28), 0, 0),
        ("conv", "C(32,5,1,2,1)", (32, 28, 28), 3 * 32 * 25, 3 * 32 * 25 * 28 * 28),
        ("max_pool", "P(4,4,0,0)", (32, 7, 7), 0, 0),
        ("wrn", "C(32,3,1,1,0)", (32, 7, 7), residual, residual * 49),
        ("wrn", "C(16,3,1,1,0)", (16, 7, 7), narrower, narrower * 49),
        ("embedding", "", (16 * 49,), 0, 0),
        ("fc", "FC(64)", (64,), 16 * 49 * 64, 16 * 49 * 64),
        ("classifier", "SM(10)", (10,), 64 * 10, 64 * 10),
    ]
    assert graph.edges == tuple((n, n + 1) for n in range(7))
    assert graph.parameters == conv_weights(SPACE.parse(NET), 3) + classifier_weights(SPACE.parse(NET))


def test_the_written_form_of_states_and_nodes_is_the_same() -> None:
    architecture = SPACE.parse(NET)
    assert [SPACE.text(state) for state in architecture.states] == [
        node.text for node in SPACE.graph(architecture).nodes if node.text
    ]
    assert SPACE.text(SPACE.start()) == ""


def test_weights_and_multiply_adds_are_those_of_the_network() -> None:
    """Multiply-adds are counted by torch's own counter, which counts a multiplication and an addition as two."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from nasd.evaluators.networks.network import Network

    random = np.random.default_rng(0)
    small = SearchSpace(LayersConfig(patch_size=12, max_conv=4, conv_features=(4, 8), max_fc=2, channels=3))
    for _ in range(5):
        architecture = small.sample(random)
        network = Network(architecture, 3, EncoderConfig(batch_norm=0.0), 0.0).eval()
        graph = small.graph(architecture)
        assert sum(p.numel() for p in network.parameters() if p.ndim > 1) == graph.parameters, str(architecture)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 3, 12, 12))
        assert counter.get_total_flops() == 2 * graph.operations, str(architecture)
