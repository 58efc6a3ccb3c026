"""Networks of a supernet packed to bits, and as programs of torch.export."""

import io

import numpy as np
import pytest
import torch

import nasd
from nasd.config import EncoderConfig, SupernetConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.export import packed
from nasd.spaces.supernet import SupernetSpace

THIN = {"widths": (8, 8, 8, 16, 16), "patch_size": 8, "channels": 1}


def made(seed=1, **keys):
    """A network with batch norms that saw something, and its architecture."""
    space = SupernetSpace(SupernetConfig(**keys))
    architecture = space.sample(np.random.default_rng(seed))
    network = SupernetNetwork(space.config, EncoderConfig(), architecture)
    network.initialise(seed)
    with torch.no_grad():
        for _ in range(3):
            network.train()(images(space.config, 8))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return network.eval(), architecture


def images(config, count):
    return torch.rand(count, config.channels, config.patch_size, config.patch_size)


MELIUS = {"base": "meliusnet22", "widths": (8, 8, 16, 16), "growth": 8, "patch_size": 8}


@pytest.mark.parametrize("keys", [THIN, {**THIN, "scaling": "xnor"}, {**THIN, "base": "resnet18v2"}, MELIUS])
def test_what_is_packed_comes_back_bit_for_bit(tmp_path, keys):
    network, architecture = made(**keys)
    packed.write(network, architecture, tmp_path / "a.safetensors")
    again = nasd.load_model(tmp_path / "a.safetensors")
    packed.write(again, architecture, tmp_path / "b.safetensors")
    if keys.get("scaling") != "xnor":  # a mean of equal numbers is rounded
        assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    third, some = packed.read(tmp_path / "b.safetensors"), images(architecture.config, 5)
    with torch.no_grad():
        torch.testing.assert_close(again(some), third(some), rtol=0, atol=0 if keys.get("scaling") is None else 1e-5)


def test_a_network_of_float_weights_gives_what_it_gave(tmp_path):
    space = SupernetSpace(SupernetConfig(**THIN))
    architecture = space.parse("resnet18[32 32 32 32 32 32 32 32]")
    network = SupernetNetwork(space.config, EncoderConfig(), architecture)
    network.initialise(1)
    some = images(space.config, 6)
    with torch.no_grad():
        network.train()(some)
        packed.write(network.eval(), architecture, tmp_path / "a.safetensors")
        torch.testing.assert_close(packed.read(tmp_path / "a.safetensors")(some), network(some), rtol=1e-4, atol=1e-4)


def test_a_file_takes_what_the_space_says(tmp_path):
    space = SupernetSpace(SupernetConfig(base="meliusnet22"))
    architecture = space.make((0,) * 34)
    network = SupernetNetwork(space.config, EncoderConfig(), architecture)
    network.initialise(1)
    packed.write(network, architecture, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_size / 1e6 == pytest.approx(2.0181, rel=0.02)  # the golden megabytes


def test_a_program_gives_what_the_network_gives(tmp_path):
    network, architecture = made(**THIN)
    packed.write(network, architecture, tmp_path / "a.pt2")
    program = torch.export.load(io.BytesIO((tmp_path / "a.pt2").read_bytes())).module()
    for count in (2, 7):
        some = images(architecture.config, count)
        with torch.no_grad():
            assert torch.equal(program(some), network(some))


def test_what_is_no_packed_network_is_refused(tmp_path):
    network, architecture = made(**THIN)
    with pytest.raises(NasdError, match="must end in"):
        packed.write(network, architecture, tmp_path / "a.onnx")
    (tmp_path / "b.safetensors").write_bytes(packed.packed(network, architecture)[:-1])
    with pytest.raises(NasdError, match="cannot be read"):
        packed.read(tmp_path / "b.safetensors")
