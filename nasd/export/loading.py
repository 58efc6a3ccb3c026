"""Weights back as a module: `nasd.load_model`."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from nasd.config import EncoderConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.network import Network
from nasd.export import model as encoders
from nasd.spaces.base import GrammarError
from nasd.spaces.layers.parse import parse


def load_model(path: str | Path) -> nn.Module:
    """The module that a safetensors file of nasd's holds, in eval mode on the CPU.

    Both kinds take images (N, C, H, W), float32 in [0, 1].

    Returns:
        Of a deep prior (`nasd export model`) the Encoder, which gives embeddings (N, D); of a full training
        (`RUN/weights/*-best.safetensors`, `*-last.safetensors`) the Network, which gives logits (N, classes).

    Raises:
        NasdError: The file cannot be read, or was not written by nasd.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            described: dict[str, Any] = json.loads((file.metadata() or {}).get("nasd", "{}"))
            if described.get("kind") != "network":
                return encoders.load(path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        data = described["data"]
        architecture = parse(described["architecture"], data["image_size"], len(data["classes"]))
        config = EncoderConfig.model_validate(described["encoder"])
        with torch.device("meta"):
            network = Network(architecture, data["channels"], config, described["training"]["dropout"])
        network.to_empty(device="cpu")
        network.load_state_dict(tensors)
    except (OSError, SafetensorError) as error:
        raise NasdError(f"{path} cannot be read as safetensors: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, GrammarError) as error:
        raise NasdError(f"{path} is not a network that nasd wrote: {str(error).splitlines()[0]}") from error
    return network.eval()
