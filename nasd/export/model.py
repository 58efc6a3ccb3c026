"""A deep prior as a file: its weights, and the statistics that its pass over the training split left.

`.safetensors` holds the tensors and, as text, all that is needed to build the encoder (`load` does); `.pt2` is a
program of torch.export that runs without nasd. Both map images (N, C, H, W), float32 in [0, 1], to embeddings (N, D)
as validation and test images are embedded.
"""

import io
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors

from nasd.config import EncoderConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.build import Trainable
from nasd.evaluators.networks.encoder import Buildable, Encoder
from nasd.export.architectures import architecture_of
from nasd.export.deep_prior import DeepPrior, OnStep, fit_statistics
from nasd.export.place import unfinished
from nasd.spaces.cells import Cell
from nasd.spaces.layers import Architecture

SUFFIXES = (".safetensors", ".pt2")


def export_model(prior: DeepPrior, target: Path, on_step: OnStep | None = None) -> None:
    """Write the encoder of a deep prior; the suffix of `target` says how.

    Raises:
        NasdError: Another suffix, the target exists, or as for `nasd.export.deep_prior.embed`.
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    if target.suffix not in SUFFIXES:
        raise NasdError(f"{target} must end in {' or '.join(SUFFIXES)}")
    with unfinished(target) as whole:
        whole.write_bytes(_content(prior, target.suffix, on_step))


def _content(prior: DeepPrior, suffix: str, on_step: OnStep | None) -> bytes:
    data = prior.load()
    encoder, micro_batch = fit_statistics(prior, data, on_step)
    encoder = encoder.to("cpu")
    described = prior.attributes(data, micro_batch)
    if suffix == ".pt2":
        return _program(encoder, data.channels, data.image_size, described)
    tensors = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    # Text to text, as the format has it.
    metadata = {"architecture": described["architecture"], "nasd": json.dumps(described)}
    content: bytes = safetensors.save(tensors, metadata)
    return content


def load(path: Path) -> Encoder:
    """The encoder that a `.safetensors` file of `export_model` describes, in eval mode on the CPU.

    Raises:
        NasdError: It cannot be read, or was not written by `export_model`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described: dict[str, Any] = json.loads((file.metadata() or {})["nasd"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        data = described["data"]
        architecture = _buildable(architecture_of(described))
        with torch.device("meta"):
            config = EncoderConfig.model_validate(described["encoder"])
            encoder = Encoder(architecture, data["channels"], config, trained=True)  # whoever loads it may do so
        encoder.to_empty(device="cpu")
        encoder.load_state_dict(tensors)
    except (OSError, SafetensorError) as error:
        raise NasdError(f"{path} cannot be read as safetensors: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, NasdError) as error:
        raise NasdError(f"{path} was not written by `nasd export model`: {str(error).splitlines()[0]}") from error
    return encoder.eval()


def _buildable(architecture: Trainable) -> Buildable:
    if not isinstance(architecture, Architecture | Cell):
        raise NasdError("there are no deep priors of such an architecture")
    return architecture


def _program(encoder: Encoder, channels: int, side: int, described: dict[str, Any]) -> bytes:
    example = torch.zeros((2, channels, side, side))
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(encoder, (example,), dynamic_shapes=({0: batch},))
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"nasd.json": json.dumps(described)})
    return buffer.getvalue()
