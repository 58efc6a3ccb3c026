"""What an encoder makes of a data set: the record that the classifier learns from and the store may keep."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class EmbeddedSplit:
    """One split, in the order of the data set's split.

    Attributes:
        x: (N, D) on the device it was computed on; bfloat16 where the encoder is, else float32.
        y: (N,) int64 labels.
        index: (N,) int64, each sample's place in its data set (see `nasd.data.Split`).
    """

    x: Tensor
    y: Tensor
    index: Tensor


@dataclass(frozen=True)
class Embedding:
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
