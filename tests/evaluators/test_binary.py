"""Binary layers and supernets against the golden values."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nasd.config import EncoderConfig, SupernetConfig
from nasd.evaluators.networks.binary import approx_sign, binary_conv, sign, sign_of_weights, sign_ste
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.spaces.supernet import SupernetSpace
from nasd.spaces.supernet.layers import Conv
from tests.spaces.test_supernet import BASES

PATH = Path(__file__).parents[3] / "shared" / "golden" / "enas.json"
if not PATH.exists():
    pytest.skip(f"the golden values are not at {PATH}", allow_module_level=True)
GOLDEN = json.loads(PATH.read_text())


@pytest.mark.parametrize(
    ("activate", "gradient"), [(sign_ste, "gradient_ste_cancel_1"), (approx_sign, "gradient_approx_sign")]
)
def test_signs_and_their_gradients(activate, gradient):
    golden = GOLDEN["binary_activation"]
    x = torch.tensor(golden["x"], requires_grad=True)
    out = activate(x)
    assert out.tolist() == golden["forward_sign"]
    out.backward(torch.tensor(golden["upstream"]))
    assert x.grad.tolist() == golden[gradient]


def test_weights_pass_gradients_straight_through():
    weight = torch.tensor([-3.0, 0.0, 0.5, 7.0], requires_grad=True)
    out = sign_of_weights(weight)
    assert out.tolist() == [-1, 1, 1, 1]
    out.backward(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert weight.grad.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("scaling", "wanted"), [("none", "y"), ("xnor", "scaled_y"), ("bi_real", "scaled_y")])
def test_binary_convolution(scaling, wanted):
    golden = GOLDEN["binary_conv"]
    x, weight = torch.tensor(golden["x"]), torch.tensor(golden["weight"], requires_grad=True)
    out = binary_conv(sign(x), weight, Conv(3, 2, 3, binary=True), scaling)
    torch.testing.assert_close(out, torch.tensor(golden[wanted]), rtol=1e-6, atol=1e-6)


def test_only_bi_reals_scale_has_a_gradient():
    x, gradients = sign(torch.randn(2, 3, 4, 4)), {}
    for scaling in ("xnor", "bi_real"):
        weight = torch.full((2, 3, 3, 3), 0.5, requires_grad=True)
        binary_conv(x, weight, Conv(3, 2, 3, binary=True), scaling).sum().backward()
        gradients[scaling] = weight.grad
    scale = gradients["bi_real"] - gradients["xnor"]
    total = binary_conv(x, torch.ones(2, 3, 3, 3), Conv(3, 2, 3, binary=True), "xnor").sum(dim=(0, 2, 3))
    torch.testing.assert_close(scale, (total / 27)[:, None, None, None].expand(2, 3, 3, 3))


def test_a_scale_is_of_each_output():
    weight = torch.stack((torch.full((1, 3, 3), 2.0), torch.full((1, 3, 3), 5.0)))
    out = binary_conv(torch.ones(1, 1, 5, 5), weight, Conv(1, 2, 3, binary=True), "xnor")
    assert out[0, :, 2, 2].tolist() == [18, 45]


THIN = {"resnet": (8, 8, 16, 16, 32), "meliusnet": (16, 16, 32, 48)}


def made(base, architecture=None, device="cpu", **keys):
    space = SupernetConfig(base=base, **keys)
    with torch.device("meta"):
        network = SupernetNetwork(space, EncoderConfig(), architecture)
    if device != "meta":
        network.to_empty(device=device)
        network.initialise(1)
    return network


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("stem", ["thumbnail", "imagenet", "grouped"])
def test_sizes_and_graphs_are_what_torch_counts(base, stem):
    space = SupernetSpace(SupernetConfig(base=base, stem=stem))
    architecture = space.sample(np.random.default_rng(len(base)))
    network = made(base, architecture, "meta", stem=stem)
    binary = sum(weight.numel() for weight in network.binary_weights())
    total = sum(parameter.numel() for parameter in network.parameters())
    size = space.size(architecture)
    assert (size.binary_weights, size.float_parameters) == (binary, total - binary)
    weights = sum(p.numel() for p in network.parameters() if p.dim() > 1) + network.classifier.bias.numel()
    assert space.graph(architecture).parameters == weights


@pytest.mark.parametrize("base", ["resnet18", "resnet18v2", "meliusnet22"])
def test_an_architecture_alone_is_the_supernet_with_its_choices(base):
    keys = {"widths": THIN[SupernetConfig(base=base).family], "growth": 8, "patch_size": 8, "channels": 1}
    space = SupernetSpace(SupernetConfig(base=base, **keys))
    supernet, images = made(base, **keys), torch.rand(4, 1, 8, 8)
    random = np.random.default_rng(1)
    for _ in range(3):
        architecture = space.sample(random)
        alone = made(base, architecture, **keys)
        wanted = alone.state_dict()
        assert wanted.keys() <= supernet.state_dict().keys()
        alone.load_state_dict({name: value for name, value in supernet.state_dict().items() if name in wanted})
        out = supernet(images, architecture.choices)
        assert out.shape == (4, 10)
        assert torch.equal(out, alone(images))


def test_the_variants_share_weights_and_not_norms():
    network = made("resnet18", widths=THIN["resnet"], patch_size=8, channels=1)
    one, all_bits = ["1"] + ["32"] * 7, ["32"] * 8
    images = torch.rand(4, 1, 8, 8)
    network(images, one).sum().backward()
    step = network.steps[0]
    assert step.weights["0"].grad is not None
    assert step.norms["1"][0].weight.grad is not None
    assert step.norms["32"][0].weight.grad is None
    assert set(network.norms_of(one)) & set(network.norms_of(all_bits)) == {
        norm for norm in network.norms_of(one) if norm not in set(step.norms["1"])
    }


def test_what_a_skipped_improvement_leaves():
    network = made("meliusnet22", widths=THIN["meliusnet"], growth=8, patch_size=8, channels=1)
    x = torch.rand(2, 24, 4, 4)
    improvement = network.steps[1]
    assert improvement(x, "-") is x
    improved = improvement(x, "i")
    assert torch.equal(improved[:, :16], x[:, :16])
    assert not torch.equal(improved[:, 16:], x[:, 16:])
