"""What an evaluation costs, of whatever kind it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from nasd.outcome import Measured


class Clock:
    """Started when it is made; on a GPU, the peak of its memory is counted from then on as well."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._started = device, time.monotonic()
        self._seconds: dict[str, float] = {"encode": 0.0, "train": 0.0}
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @contextmanager
    def stage(self, name: Literal["encode", "train"]) -> Iterator[None]:
        """Inside, time counts as that of a stage, also where it fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] += time.monotonic() - begun

    def measured(self) -> Measured:
        """Until now."""
        return Measured(
            seconds=time.monotonic() - self._started,
            encode_seconds=self._seconds["encode"],
            train_seconds=self._seconds["train"],
            peak_memory=torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else 0,
            device=str(self._device),
        )
