"""The linear classifier on the embedding: the only thing that is trained (DP-NAS, arXiv 2104.06788, section 3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nasd.config import TrainingConfig
from nasd.evaluate.embedding import EmbeddedSplit
from nasd.evaluate.errors import EvaluationError
from nasd.evaluate.seeding import generator

REWARD_EPOCHS = 5  # the reward, and the early stop, look at the mean of so many validation accuracies

OnEpoch = Callable[[int, float, float], None]
"""Called with the epoch (from 1), its training accuracy and its validation accuracy."""


@dataclass(frozen=True)
class Trained:
    """Accuracies are fractions in [0, 1], one per epoch; no test accuracy where the early stop struck."""

    train_accuracies: tuple[float, ...]
    validation_accuracies: tuple[float, ...]
    test_accuracy: float | None

    @property
    def reward(self) -> float:
        """Mean of the last five validation accuracies, of all if there are fewer."""
        return recent_mean(self.validation_accuracies)


def recent_mean(accuracies: tuple[float, ...] | list[float]) -> float:
    """Mean of the last five values."""
    recent = accuracies[-REWARD_EPOCHS:]
    return math.fsum(recent) / len(recent)


def train_classifier(
    train: EmbeddedSplit,
    validation: EmbeddedSplit,
    test: EmbeddedSplit,
    num_classes: int,
    config: TrainingConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> Trained:
    """Train a linear classifier without bias by cross-entropy and Adam, a fresh shuffle each epoch.

    The training accuracy of an epoch is that of each mini-batch just before its step. At `early_stopping_epoch` the
    training ends if the mean of the last five validation accuracies is below `early_stopping_thresh`.

    Raises:
        EvaluationError: Validation logits are not finite.
    """
    weight = _initial_weight(num_classes, train.x.shape[1], seed).to(train.x.device).requires_grad_()
    optimiser = torch.optim.Adam([weight], lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    shuffles = generator(seed, "shuffles")
    train_accuracies: list[float] = []
    validation_accuracies: list[float] = []
    for epoch in range(1, config.epochs + 1):
        order = torch.randperm(len(train.y), generator=shuffles).to(train.x.device)
        train_accuracies.append(_train_epoch(weight, optimiser, train, order, config.batch_size))
        validation_accuracies.append(_accuracy(weight, validation))
        on_epoch(epoch, train_accuracies[-1], validation_accuracies[-1])
        if epoch == config.early_stopping_epoch and recent_mean(validation_accuracies) < config.early_stopping_thresh:
            return Trained(tuple(train_accuracies), tuple(validation_accuracies), None)
    return Trained(tuple(train_accuracies), tuple(validation_accuracies), _accuracy(weight, test))


def _initial_weight(num_classes: int, values: int, seed: int) -> Tensor:
    """torch's default for a linear layer: uniform in +-1/sqrt(values)."""
    bound = values**-0.5
    return torch.empty((num_classes, values)).uniform_(-bound, bound, generator=generator(seed, "classifier"))


def _train_epoch(
    weight: Tensor, optimiser: torch.optim.Optimizer, train: EmbeddedSplit, order: Tensor, batch_size: int
) -> float:
    hits = torch.zeros((), dtype=torch.int64, device=weight.device)
    # One buffer for every mini-batch: it stays in the cache, so that an epoch reads each embedding once from memory.
    buffer = torch.empty((batch_size, train.x.shape[1]), device=weight.device)
    y = train.y[order]
    for start in range(0, len(order), batch_size):
        rows, labels = order[start : start + batch_size], y[start : start + batch_size]
        x = torch.index_select(train.x, 0, rows, out=buffer[: len(rows)])
        logits = functional.linear(x, weight)
        functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        hits += (logits.detach().argmax(1) == labels).sum()
    return int(hits) / len(order)


@torch.no_grad()
def _accuracy(weight: Tensor, split: EmbeddedSplit) -> float:
    logits = functional.linear(split.x, weight)
    if not bool(logits.isfinite().all()):
        raise EvaluationError("The classifier diverged: its logits overflow float32.")
    return int((logits.argmax(1) == split.y).sum()) / len(split.y)
