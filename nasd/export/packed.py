"""A network of a supernet for inference: binary weights packed to bits, batch norms folded to a scale and a shift.

`.safetensors` holds the bits (uint8, eight weights a byte, the first one in the highest bit; 1 stands for +1) and all
else as float32, and says how to build the network; `.pt2` is a program of torch.export that runs without nasd. Both map
images (N, C, H, W), float32 in [0, 1], to logits (N, classes).
"""

import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from torch import Tensor, nn

from nasd.config import EncoderConfig, SupernetConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.binary import sign
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.export.place import unfinished
from nasd.spaces.supernet import Supernet, SupernetSpace

KIND = "packed supernet"
_BITS = "/bits"
_EPS = 2.0**-14  # beside the variance 1 - 2^-14 it makes exactly 1


def write(network: SupernetNetwork, architecture: Supernet, target: Path) -> None:
    """Write a network of one architecture; the suffix of `target` says how.

    Args:
        network: Trained, with the averages of its batch norms; it is left as it is.
        architecture: Whose network it is.
        target: `.safetensors` or `.pt2`; must not exist.

    Raises:
        NasdError: Another suffix, or the target exists.
        DiskError: The disk refused.
    """
    if target.suffix not in (".safetensors", ".pt2"):
        raise NasdError(f"{target} must end in .safetensors or .pt2")
    with unfinished(target) as whole:
        whole.write_bytes(packed(network, architecture) if target.suffix == ".safetensors" else _program(network))


def packed(network: SupernetNetwork, architecture: Supernet) -> bytes:
    """The content of the `.safetensors` file."""
    binary, scaled = {id(weight) for weight in network.binary_weights()}, architecture.config.scaling != "none"
    tensors: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        if id(parameter) in binary:
            signs = (sign(parameter.detach()) > 0).cpu().contiguous().numpy()
            tensors[name + _BITS] = torch.from_numpy(np.packbits(signs.reshape(-1)))
            if scaled:
                tensors[name + "/scale"] = parameter.detach().abs().mean(dim=(1, 2, 3)).cpu()
        elif not _of_norm(network, name):
            tensors[name] = parameter.detach().cpu().contiguous()
    for name, norm in _norms(network):
        tensors[name + ".weight"], tensors[name + ".bias"] = _folded(norm)
    described = {
        "kind": KIND, "architecture": str(architecture), "space": architecture.config.model_dump(mode="json"),
        "encoder": network.config.model_dump(mode="json"),
    }  # fmt: skip
    content: bytes = safetensors.save(tensors, {"nasd": json.dumps(described)})
    return content


def read(path: Path) -> SupernetNetwork:
    """The network of a file that `write` wrote, in eval mode on the CPU: the same bits in, the same bits out.

    Raises:
        NasdError: It cannot be read, or was not written by `write`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described: dict[str, Any] = json.loads((file.metadata() or {})["nasd"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        space = SupernetSpace(SupernetConfig.model_validate(described["space"]))
        config = EncoderConfig.model_validate(described["encoder"])
        network = SupernetNetwork(space.config, config, space.parse(described["architecture"]))
        return _filled(network, tensors)
    except (OSError, SafetensorError) as error:
        raise NasdError(f"{path} cannot be read as safetensors: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, NasdError) as error:
        raise NasdError(f"{path} is not a packed network that nasd wrote: {str(error).splitlines()[0]}") from error


@torch.no_grad()
def _filled(network: SupernetNetwork, tensors: dict[str, Tensor]) -> SupernetNetwork:
    for name, parameter in network.named_parameters():
        if (bits := tensors.get(name + _BITS)) is None:
            parameter.copy_(tensors[name])
            continue
        signs = np.unpackbits(bits.numpy(), count=math.prod(parameter.shape)).reshape(parameter.shape)
        parameter.copy_(torch.from_numpy(signs.astype(np.float32) * 2 - 1))
        if (scale := tensors.get(name + "/scale")) is not None:
            parameter.mul_(scale[:, None, None, None])
    for _, norm in _norms(network):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - _EPS)
        norm.eps = _EPS
    return network.eval()


def _program(network: SupernetNetwork) -> bytes:
    space, was_training = network.space, network.training
    example = torch.zeros((2, space.channels, space.patch_size, space.patch_size))
    try:
        with torch.no_grad():
            batch = torch.export.Dim("batch", min=1)
            program = torch.export.export(network.eval(), (example,), dynamic_shapes=({0: batch},))
    finally:
        network.train(was_training)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's, of weights that share memory, which it then saves once
        torch.export.save(program, buffer)
    return buffer.getvalue()


def _norms(network: SupernetNetwork) -> list[tuple[str, nn.BatchNorm2d]]:
    return [(name, module) for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]


def _of_norm(network: SupernetNetwork, name: str) -> bool:
    return isinstance(network.get_submodule(name.rpartition(".")[0]), nn.BatchNorm2d)


@torch.no_grad()
def _folded(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies by and adds in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return weight.cpu().contiguous(), (norm.bias - norm.running_mean * weight).cpu().contiguous()
