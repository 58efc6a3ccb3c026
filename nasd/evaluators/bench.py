"""What all evaluations of a process share, made once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nasd.config import Config
from nasd.data import Data, Streamed


@dataclass(frozen=True)
class Bench:
    """Where an evaluator works.

    Attributes:
        config: The run's.
        space: The run's (`nasd.spaces.base.Space`).
        device: Where evaluations run.
        data: Resident on the device, or streamed.
        memory_limit: Bytes that an evaluation may take; None: what is free.
        staging: Folder for what is to be kept, unless an order names another.
    """

    config: Config
    space: Any
    device: torch.device
    data: Data | Streamed
    memory_limit: int | None
    staging: Path

    def config_of(self, epochs: int | None) -> Config:
        """The run's config, with an order's epochs."""
        if epochs is None:
            return self.config
        training = self.config.training.model_copy(update={"epochs": epochs})
        return self.config.model_copy(update={"training": training})
