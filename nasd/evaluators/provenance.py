"""Where an embedding, a model or a checkpoint comes from."""

from typing import Any

import torch

import nasd
from nasd.config import Config
from nasd.data import Data, Streamed
from nasd.evaluators.networks.build import Trainable
from nasd.spaces.cells import Cell
from nasd.spaces.supernet import Supernet


def provenance(
    architecture: Trainable, data: Data | Streamed, config: Config, seed: int, device: torch.device | str
) -> dict[str, Any]:
    """What has to be the same for the encoder to be the same; plain JSON values."""
    skeleton = (
        {"space": architecture.config.model_dump(mode="json")} if isinstance(architecture, Cell | Supernet) else {}
    )
    return {
        "architecture": str(architecture),
        **skeleton,
        "seed": seed,
        "data": {
            "name": data.name,
            "run_seed": config.seed,  # fixes the validation split
            "image_size": data.image_size,
            "channels": data.channels,
            "classes": list(data.classes),
            "transforms": list(data.transforms),
            "identity": None if data.identity is None else data.identity.summary(),
            "config": config.data.model_dump(mode="json"),
        },
        "encoder": config.encoder.model_dump(mode="json"),
        "device": str(device),
        "torch": str(torch.__version__),
        "nasd": nasd.__version__,
    }
