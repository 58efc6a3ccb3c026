"""What an encoder makes of a data set: the record that the classifier learns from and the store may keep."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class EmbeddedSplit:
    """One split, in the order of the data set's split.

    Attributes:
        x: (N, D) on the device it was computed on; bfloat16 where the encoder is, else float32.
        y: (N,) int64 labels.
        index: (N,) int64, each sample's place in its data set (see `nasd.data.ImageSplit`).
    """

    x: Tensor
    y: Tensor
    index: Tensor

    def take(self, rows: Tensor) -> "EmbeddedSplit":
        """The samples at `rows` (int64), in that order."""
        rows = rows.to(self.x.device)
        return EmbeddedSplit(self.x[rows], self.y[rows], self.index[rows])


@dataclass(frozen=True)
class OnHost:
    """Embeddings as an array of float32, copied from their device and widened only when rows are asked for.

    Of the best architectures, whose embeddings are kept, all at once would take twice what bfloat16 takes besides.
    """

    x: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return tuple(self.x.shape)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        """N."""
        return len(self.x)

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[np.float32]:
        """The rows of these numbers."""
        values: NDArray[np.float32] = self.x[torch.from_numpy(rows).to(self.x.device)].cpu().float().numpy()
        return values


@dataclass(frozen=True)
class EmbeddedData:
    """All splits, embedded.

    Attributes:
        attributes: Everything needed to say what this is and to make it again; plain JSON values.
    """

    train: EmbeddedSplit
    validation: EmbeddedSplit
    test: EmbeddedSplit
    attributes: dict[str, Any]

    @property
    def splits(self) -> dict[str, EmbeddedSplit]:
        """The splits by their stored names."""
        return {"train": self.train, "val": self.validation, "test": self.test}
