"""The linear classifier on the embedding: the only thing that is trained (DP-NAS, arXiv 2104.06788, section 3).

Mini-batches of a fresh shuffle each epoch, cross-entropy, Adam. How an epoch of that is computed is another matter, on
a CPU (`probe_cpu`) and on a GPU (`probe_gpu`), where its result is read while the next one runs.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nasd.config import TrainingConfig
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.probe_gpu import GpuSteps
from nasd.evaluators.deep_prior.probe_steps import Start, Steps
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.reward import recent_mean
from nasd.evaluators.seeding import generator

OnEpoch = Callable[[int, float, float], None]
"""Called with the epoch (from 1), its training accuracy and its validation accuracy."""

OnEpochs = Callable[[int, Sequence[float], Sequence[float]], None]
"""The same with the accuracies of several classifiers."""


class Classifier(NamedTuple):
    """In what the classifiers that are trained together differ."""

    seed: int  # of the initial weights
    learning_rate: float


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
    (trained,) = train_classifiers(
        train,
        validation,
        test,
        num_classes,
        config,
        seed,
        [Classifier(seed, config.learning_rate)],
        lambda epoch, of_train, of_validation: on_epoch(epoch, of_train[0], of_validation[0]),
    )
    return trained


@torch.no_grad()
def train_classifiers(
    train: EmbeddedSplit,
    validation: EmbeddedSplit,
    test: EmbeddedSplit,
    num_classes: int,
    config: TrainingConfig,
    seed: int,
    classifiers: Sequence[Classifier],
    on_epoch: OnEpochs,
) -> list[Trained]:
    """Train several classifiers on the same mini-batches: each embedding is read once for all of them.

    Each is what `train_classifier` makes of it alone, up to rounding. One that stops early is trained on with the
    others, but what it does then does not count.

    Args:
        train: And `validation`, `test`: on one device.
        num_classes: Outputs of each classifier.
        config: All but its `learning_rate` counts.
        seed: Of the shuffles.
        classifiers: At least one.
        on_epoch: Told of every epoch, on a GPU while the next one runs.

    Raises:
        EvaluationError: Validation logits are not finite.
    """
    weight = torch.cat([initial_weight(num_classes, train.x.shape[1], one.seed) for one in classifiers])
    rates = [one.learning_rate for one in classifiers]
    training = _steps_on(train.x.device)(Start(train, validation, num_classes, config, weight, rates))
    shuffles = generator(seed, "shuffles")
    ahead = 1 if train.x.is_cuda else 0  # epochs that are queued before a result is waited for
    pending: deque[Callable[[], list[int]]] = deque()
    of_train: list[list[float]] = [[] for _ in classifiers]
    of_validation: list[list[float]] = [[] for _ in classifiers]

    def stopped(accuracies: Sequence[float]) -> bool:
        at = config.early_stopping_epoch
        return len(accuracies) >= at and recent_mean(accuracies[:at]) < config.early_stopping_thresh

    for epoch in range(1, config.epochs + 1):
        training.epoch(torch.randperm(len(train.y), generator=shuffles))
        pending.append(_read_later(training.result))
        decides = epoch in (config.early_stopping_epoch, config.epochs)
        while len(pending) > (0 if decides else ahead):
            finite, *hits = pending.popleft()()
            if not finite:
                raise EvaluationError("The classifier diverged: its logits overflow float32.")
            for number in range(len(classifiers)):
                of_train[number].append(hits[number] / len(train.y))
                of_validation[number].append(hits[len(classifiers) + number] / len(validation.y))
            on_epoch(len(of_train[0]), [of[-1] for of in of_train], [of[-1] for of in of_validation])
        if epoch == config.early_stopping_epoch and all(map(stopped, of_validation)):
            break
    of_test = _read_later(training.hits(test))()[1:]
    at = config.early_stopping_epoch
    return [
        Trained(tuple(one[:at]), tuple(other[:at]), None)
        if stopped(other)
        else Trained(tuple(one), tuple(other), hits / len(test.y))
        for one, other, hits in zip(of_train, of_validation, of_test, strict=True)
    ]


def _steps_on(device: torch.device) -> type[Steps]:
    if device.type != "cpu":
        return GpuSteps
    from nasd.evaluators.deep_prior.probe_cpu import CpuSteps  # noqa: PLC0415 - numba: half a second, and only for this

    return CpuSteps


def initial_weight(num_classes: int, values: int, seed: int) -> Tensor:
    """torch's default for a linear layer: uniform in +-1/sqrt(values)."""
    bound = values**-0.5
    return torch.empty((num_classes, values)).uniform_(-bound, bound, generator=generator(seed, "classifier"))


def _read_later(values: Tensor) -> Callable[[], list[int]]:
    """Copy a tensor now, and wait for the copy, but not for what is queued behind it, when its values are asked for."""
    if not values.is_cuda:
        return values.clone().tolist
    host = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def read() -> list[int]:
        copied.synchronize()
        numbers: list[int] = host.tolist()
        return numbers

    return read
