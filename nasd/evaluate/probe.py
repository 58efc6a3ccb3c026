"""The linear classifier on the embedding: the only thing that is trained (DP-NAS, arXiv 2104.06788, section 3).

What is computed is plain: mini-batches of a fresh shuffle each epoch, cross-entropy, Adam. How: the gradient of softmax
regression is (softmax - one-hot)^T x / n, so that a step is seven operations on buffers that never move, half as long
as by autograd and torch.optim; and on a GPU an epoch is one CUDA graph, its result read while the next one runs.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor

from nasd.config import TrainingConfig
from nasd.evaluate.embedding import EmbeddedSplit
from nasd.evaluate.errors import EvaluationError
from nasd.evaluate.graph import recorded
from nasd.evaluate.seeding import generator
from nasd.evaluate.threads import in_order, one_thread_each

BLOCK = 8 << 20  # bytes gathered at a time on a thread of its own
REWARD_EPOCHS = 5  # the reward, and the early stop, look at the mean of so many validation accuracies

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


def recent_mean(accuracies: Sequence[float]) -> float:
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
    threads: int = 1,
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
        threads,
    )
    return trained


@torch.no_grad()
@one_thread_each()
def train_classifiers(
    train: EmbeddedSplit,
    validation: EmbeddedSplit,
    test: EmbeddedSplit,
    num_classes: int,
    config: TrainingConfig,
    seed: int,
    classifiers: Sequence[Classifier],
    on_epoch: OnEpochs,
    threads: int = 1,
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
        threads: On the CPU, with 2 or more, the embeddings of the next steps are gathered on a thread of its own.

    Raises:
        EvaluationError: Validation logits are not finite.
    """
    training = _Training(train, validation, num_classes, config, classifiers, threads)
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


class _MiniBatch(NamedTuple):
    """The buffers of one step; K classifiers of C classes."""

    x: Tensor  # (n, values), gathered
    logits: Tensor  # (n, K * C)
    error: Tensor  # (K * C, n)
    targets: Tensor  # (K * C, n), one-hot


class _Block(NamedTuple):
    """Mini-batches that are gathered together."""

    rows: Tensor  # (m,) of the training split
    x: Tensor  # (m, values), that they are gathered into
    mini_batches: list[_MiniBatch]


class _Training:
    """Weights, Adam's state, and buffers that stay where they are, so that a CUDA graph can replay an epoch.

    K classifiers of C classes each are one matrix of K * C rows. Where embeddings are bfloat16, so are both factors of
    each product; the weights themselves and Adam's state are float32.

    Attributes:
        result: (1 + 2 K) int64: whether the validation logits were finite, the hits in training, those in validation.
    """

    def __init__(
        self,
        train: EmbeddedSplit,
        validation: EmbeddedSplit,
        num_classes: int,
        config: TrainingConfig,
        classifiers: Sequence[Classifier],
        threads: int = 1,
    ) -> None:
        (samples, values), device, dtype = train.x.shape, train.x.device, train.x.dtype
        self._train, self._validation = train, validation
        self._num_classes, self._weight_decay = num_classes, config.weight_decay
        weight = torch.cat([_initial_weight(num_classes, values, one.seed) for one in classifiers]).to(device)
        self._weight, self._gradient = weight, torch.empty_like(weight)
        self._factor, self._product = weight.to(dtype), self._gradient.to(dtype)  # the same two if that is float32
        self._steps = torch.zeros((), device=device)
        adam = (weight, self._gradient, torch.zeros_like(weight), torch.zeros_like(weight))
        self._adam = [
            ([tensor[rows] for tensor in adam], one.learning_rate)
            for one, rows in zip(classifiers, _slices(len(weight), num_classes), strict=True)
        ]
        self._order = torch.empty(samples, dtype=torch.int64, device=device)
        self._one_hots = torch.eye(num_classes, device=device).repeat(len(classifiers), 1)
        self._targets = torch.empty((len(weight), samples), device=device)
        self._logits = torch.empty((samples, len(weight)), device=device, dtype=dtype)
        self._gatherers = 1 if threads > 1 and device.type == "cpu" else 0
        self._blocks = self._cut(config.batch_size)
        self.result = torch.zeros(1 + 2 * len(classifiers), dtype=torch.int64, device=device)
        self._run: Callable[[], None] | None = None

    def _cut(self, batch_size: int) -> list[_Block]:
        """Cut an epoch into blocks of whole mini-batches, whose few buffers are used in turn and stay in the cache."""
        samples, values = self._train.x.shape
        together = gathered_rows(batch_size, values * self._train.x.element_size(), self._gatherers + 1)
        buffers = self._train.x.new_empty((1 + self._gatherers, min(together, samples), values))
        errors = {
            n: torch.empty((len(self._weight), n), device=buffers.device) for n in (batch_size, samples % batch_size)
        }
        blocks = []
        for rows, buffer in zip(_slices(samples, together), cycle(buffers), strict=False):
            x, logits, targets = buffer[: rows.stop - rows.start], self._logits[rows], self._targets[:, rows]
            parts = [
                _MiniBatch(x[part], logits[part], errors[part.stop - part.start], targets[:, part])
                for part in _slices(len(x), batch_size)
            ]
            blocks.append(_Block(self._order[rows], x, parts))
        return blocks

    def epoch(self, order: Tensor) -> None:
        """Take a step for each mini-batch of the (N,) `order`, then validate. On a GPU this only queues the work."""
        if self._order.is_cuda:
            order = order.pin_memory()
        self._order.copy_(order, non_blocking=True)
        if self._run is None:  # the first epoch brings libraries to life, which a graph must not record
            self._epoch()
            self._run = recorded(self._epoch) if self._order.is_cuda else self._epoch
        else:
            self._run()

    def hits(self, split: EmbeddedSplit) -> Tensor:
        """(1 + K) int64: whether the logits are finite, and each classifier's hits."""
        logits = torch.mm(split.x, self._factor.t())
        return torch.cat([logits.isfinite().all().long().view(1), self._count(logits, split.y)])

    def _epoch(self) -> None:
        labels = self._train.y[self._order]
        torch.index_select(self._one_hots, 1, labels, out=self._targets)
        for mini_batches in in_order(self._gather, self._blocks, self._gatherers, ahead=1 + self._gatherers):
            for mini_batch in mini_batches:
                self._step(*mini_batch)
        validated = self.hits(self._validation)
        torch.cat([validated[:1], self._count(self._logits, labels), validated[1:]], out=self.result)

    @torch.no_grad()
    def _gather(self, block: _Block) -> list[_MiniBatch]:
        torch.index_select(self._train.x, 0, block.rows, out=block.x)
        return block.mini_batches

    def _step(self, x: Tensor, logits: Tensor, error: Tensor, targets: Tensor) -> None:
        torch.mm(x, self._factor.t(), out=logits)
        error.copy_(logits.t())  # a softmax down the columns takes a third of the time of one along short rows
        share = error.view(-1, self._num_classes, len(x)).softmax(1).view_as(error)
        factor = share.sub_(targets).to(x.dtype)
        torch.addmm(self._product, factor, x, beta=0, alpha=1 / len(x), out=self._product)
        if self._product is not self._gradient:
            self._gradient.copy_(self._product)
        self._steps.add_(1)
        for (weight, gradient, mean, square), rate in self._adam:
            torch._fused_adam_(
                [weight], [gradient], [mean], [square], [], [self._steps],
                lr=rate, beta1=0.9, beta2=0.999, weight_decay=self._weight_decay, eps=1e-8, amsgrad=False,
                maximize=False,
            )  # fmt: skip
        if self._factor is not self._weight:
            self._factor.copy_(self._weight)

    def _count(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.view(len(logits), -1, self._num_classes).argmax(2) == labels.unsqueeze(1)).sum(0)


def gathered_rows(batch_size: int, row_bytes: int, buffers: int) -> int:
    """Rows that are gathered at a time: a mini-batch, or, ahead and on another thread, what pays its hand-over."""
    return batch_size if buffers == 1 else batch_size * max(1, BLOCK // (batch_size * row_bytes))


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _initial_weight(num_classes: int, values: int, seed: int) -> Tensor:
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
