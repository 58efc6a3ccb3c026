"""Networks as safetensors: the weights a training ends with, and the checkpoint from which it goes on.

A checkpoint holds the network, the optimiser's state and, as JSON, what was measured so far. It needs no random state
and no schedule: both are functions of the seed and the epoch.
"""

import json
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn
from torch.optim import Optimizer

_NETWORK, _OPTIMISER = "network/", "optimiser/"


class Files(Protocol):
    """Where a training's files go, each whole or not there. Nothing raises: a full disk must not cost a result."""

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replace a file."""
        ...


class NoFiles:
    """Keeps nothing."""

    def read(self, name: str) -> bytes | None:
        """Nothing is there."""
        return None

    def write(self, name: str, content: bytes) -> None:
        """Nothing is kept."""


def network_bytes(network: nn.Module, described: dict[str, Any]) -> bytes:
    """The file of a network; `described` (plain JSON values) says what it is and how to build it."""
    return described_bytes(dict(network.state_dict()), described)


def checkpoint_bytes(network: nn.Module, optimiser: Optimizer, described: dict[str, Any]) -> bytes:
    """The file from which a training goes on."""
    return described_bytes(state_tensors(network, optimiser), described)


def state_tensors(network: nn.Module, optimiser: Optimizer) -> dict[str, Tensor]:
    """All that `restore` gives back."""
    tensors = {_NETWORK + name: tensor for name, tensor in network.state_dict().items()}
    for number, parameter in enumerate(network.parameters()):
        for name, value in optimiser.state[parameter].items():
            tensors[f"{_OPTIMISER}{number}/{name}"] = value
    return tensors


def described_bytes(tensors: dict[str, Tensor], described: dict[str, Any]) -> bytes:
    """A file of tensors that says what they are; `read_checkpoint` reads it."""
    contiguous = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    # One entry: several come in any order, and equal networks should make equal files.
    content: bytes = safetensors.save(contiguous, {"nasd": json.dumps(described)})
    return content


def read_checkpoint(content: bytes) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What `described_bytes` was given; None if this is no such file."""
    try:
        length = int.from_bytes(content[:8], "little")
        described = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["nasd"])
        return described, safetensors.load(content)
    except (SafetensorError, ValueError, KeyError, TypeError):
        return None


@torch.no_grad()
def restore(network: nn.Module, optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give a network of the same architecture, and its optimiser, what `state_tensors` took.

    Values are copied into tensors of the memory layout that they had, so that training goes on bit for bit.
    """
    for name, value in network.state_dict().items():
        value.copy_(tensors[_NETWORK + name])
    for number, parameter in enumerate(network.parameters()):
        prefix = f"{_OPTIMISER}{number}/"
        for name, value in tensors.items():
            if name.startswith(prefix):
                like = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
                optimiser.state[parameter][name.removeprefix(prefix)] = like.copy_(value)
