"""The classifier's steps on a GPU: an epoch is one CUDA graph. Whatever torch runs on can run them, as tests do.

The gradient of softmax regression is (softmax - one-hot)^T x / n, so that a step is seven operations on buffers that
never move, half as long as by autograd and torch.optim.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.probe_steps import Start
from nasd.evaluators.graph import recorded


class _MiniBatch(NamedTuple):
    """The buffers of one step; K classifiers of C classes."""

    rows: Tensor  # (n,) of the training split
    x: Tensor  # (n, values), that they are gathered into
    logits: Tensor  # (n, K * C)
    error: Tensor  # (K * C, n)
    targets: Tensor  # (K * C, n), one-hot


class GpuSteps:
    """Weights, Adam's state, and all buffers (see `Steps`).

    Where embeddings are bfloat16, so are both factors of each product.
    """

    def __init__(self, start: Start) -> None:
        train, validation, num_classes, config, initial, rates = start
        (samples, values), device, dtype = train.x.shape, train.x.device, train.x.dtype
        self._train, self._validation = train, validation
        self._num_classes, self._weight_decay = num_classes, config.weight_decay
        self.weight = weight = initial.to(device, copy=True)
        self._gradient = torch.empty_like(weight)
        self._factor, self._product = weight.to(dtype), self._gradient.to(dtype)  # the same two if that is float32
        self._steps = torch.zeros((), device=device)
        adam = (weight, self._gradient, torch.zeros_like(weight), torch.zeros_like(weight))
        self._adam = [
            ([tensor[rows] for tensor in adam], rate)
            for rate, rows in zip(rates, _slices(len(weight), num_classes), strict=True)
        ]
        self._order = torch.empty(samples, dtype=torch.int64, device=device)
        self._one_hots = torch.eye(num_classes, device=device).repeat(len(rates), 1)
        self._targets = torch.empty((len(weight), samples), device=device)
        self._logits = torch.empty((samples, len(weight)), device=device, dtype=dtype)
        x = train.x.new_empty((min(config.batch_size, samples), values))
        errors = {n: weight.new_empty((len(weight), n)) for n in (len(x), samples % len(x))}
        self._mini_batches = [
            _MiniBatch(self._order[part], x[:n], self._logits[part], errors[n], self._targets[:, part])
            for part in _slices(samples, len(x))
            for n in [part.stop - part.start]
        ]
        self.result = torch.zeros(1 + 2 * len(rates), dtype=torch.int64, device=device)
        self._run: Callable[[], None] | None = None

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
        for mini_batch in self._mini_batches:
            self._step(*mini_batch)
        validated = self.hits(self._validation)
        torch.cat([validated[:1], self._count(self._logits, labels), validated[1:]], out=self.result)

    def _step(self, rows: Tensor, x: Tensor, logits: Tensor, error: Tensor, targets: Tensor) -> None:
        torch.index_select(self._train.x, 0, rows, out=x)
        torch.mm(x, self._factor.t(), out=logits)
        error.copy_(logits.t())
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
        if self._factor is not self.weight:
            self._factor.copy_(self.weight)

    def _count(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.view(len(logits), -1, self._num_classes).argmax(2) == labels.unsqueeze(1)).sum(0)


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
