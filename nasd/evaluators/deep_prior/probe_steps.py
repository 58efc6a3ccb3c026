"""The steps of classifiers that are trained together: what they begin with, and what comes of them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from nasd.config import TrainingConfig
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit


class Start(NamedTuple):
    """K classifiers of C classes each as they begin, and what they learn from."""

    train: EmbeddedSplit
    validation: EmbeddedSplit  # on the same device
    num_classes: int
    config: TrainingConfig  # all but its learning rate
    weight: Tensor  # (K * C, values) float32, the classifiers below each other
    rates: Sequence[float]  # K learning rates


class Steps(Protocol):
    """Adam's steps from a `Start`; weights and Adam's state are float32, whatever the embeddings are.

    Attributes:
        weight: (K * C, values), as it is by now.
        result: (1 + 2 K) int64: whether the validation logits were finite, the hits in training, those in validation.
    """

    weight: Tensor
    result: Tensor

    def __init__(self, start: Start) -> None:
        """Leaves `start` as it is."""
        ...

    def epoch(self, order: Tensor) -> None:
        """Take a step for each mini-batch of the (N,) `order`, then validate. On a GPU this only queues the work."""
        ...

    def hits(self, split: EmbeddedSplit) -> Tensor:
        """(1 + K) int64: whether the logits are finite, and each classifier's hits."""
        ...
