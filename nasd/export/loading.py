"""Weights back as a module: `nasd.load_model`."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from nasd.config import DataConfig, EncoderConfig
from nasd.data import fingerprint
from nasd.errors import DataChangedError, NasdError
from nasd.evaluators.networks.build import network_of
from nasd.export import model as encoders
from nasd.export import packed
from nasd.export.architectures import architecture_of


def load_model(path: str | Path, data: DataConfig | None = None) -> nn.Module:
    """The module that a safetensors file of nasd's holds, in eval mode on the CPU.

    Both kinds take images (N, C, H, W), float32 in [0, 1].

    Args:
        path: The file.
        data: The data that it is to be used with, if they should be those that it was made with: compared by their
            fingerprint. Weights of before there were fingerprints are taken as they are.

    Returns:
        Of a deep prior (`nasd export model`) the Encoder, which gives embeddings (N, D); of a full training
        (`RUN/weights/*-best.safetensors`, `*-last.safetensors`) the Network, which gives logits (N, classes), as the
        SupernetNetwork does of an architecture of a supernet, packed or not.

    Raises:
        NasdError: The file cannot be read, or was not written by nasd.
        DataChangedError: `data` are others; the message says what changed.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            described: dict[str, Any] = json.loads((file.metadata() or {}).get("nasd", "{}"))
            if data is not None:
                _require_same_data(path, described, data)
            if described.get("kind") == packed.KIND:
                return packed.read(path)
            if described.get("kind") != "network":
                return encoders.load(path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        made_with = described["data"]
        architecture = architecture_of(described)
        config = EncoderConfig.model_validate(described["encoder"])
        with torch.device("meta"):
            network = network_of(architecture, made_with["channels"], config, described["training"]["dropout"])
        network.to_empty(device="cpu")
        network.load_state_dict(tensors)
    except (OSError, SafetensorError) as error:
        raise NasdError(f"{path} cannot be read as safetensors: {error}") from error
    except DataChangedError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, NasdError) as error:
        raise NasdError(f"{path} is not a network that nasd wrote: {str(error).splitlines()[0]}") from error
    return network.eval()


def _require_same_data(path: Path, described: dict[str, Any], config: DataConfig) -> None:
    before = described["data"].get("identity")
    if before is None:
        return
    now = fingerprint(config)
    if now.digest != before["sha256"]:
        classes = "" if list(now.classes) == described["data"]["classes"] else ", of other classes,"
        raise DataChangedError(
            f"{path} was made with other data: {before['files']:,} files{classes} of {before['bytes']:,} bytes then, "
            f"{now.count:,} of {now.size:,} bytes now; name the data that it was made with"
        )
