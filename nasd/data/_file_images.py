"""Images of a folder as a streamed split takes them: decoded when they are asked for."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nasd.data._folder import decoded


class FileImages:
    """The images of one split, decoded when they are asked for, several at a time."""

    def __init__(self, paths: Sequence[Path], rows: Tensor, side: int) -> None:
        """Args: `paths` of a whole part, `rows` (N,) int64 of it that are meant, in their order, `side` in pixels."""
        self._paths, self._rows, self._side = paths, rows, side

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(N, C, H, W) uint8. Raises DataMissingError for a damaged image."""
        wanted = [self._paths[row] for row in self._rows[rows].tolist()]
        with torch.inference_mode(False):  # whoever embeds may be in that mode, whoever trains is not
            return torch.from_numpy(decoded(wanted, self._side))
