"""The classifier's steps on a CPU: every mini-batch is read from where the embeddings lie.

torch would gather it first and then multiply it twice, by matrices of ten rows, which are too narrow for the libraries
below: a third of the speed (docs/performance.md). Here a tile of samples and classes runs along the values, its sums in
registers. All of it on one thread: every bit is independent of what else the machine does.

Compiling these loops takes three seconds, when a process first needs them.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasd.evaluators.compiled import Floats, Values, compiled_sums, values_of, widen
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.probe_steps import Start

ROWS, CLASSES = 4, 5  # of a tile: 20 sums, and what is added to them, fill the 32 registers of AVX-512
BLOCK = 4096  # values of a tile at a time: its part of the weights stays in the second-level cache

Rows = NDArray[np.int64]


class CpuSteps:
    """Weights, filled up to whole tiles, and Adam's state (see `Steps`)."""

    def __init__(self, start: Start) -> None:
        train, validation, num_classes, config, weight, rates = start
        self._train, self._validation, self._num_classes = train, validation, num_classes
        self._batch_size, self._weight_decay = min(config.batch_size, len(train.y)), config.weight_decay
        padded = -(-len(weight) // CLASSES) * CLASSES  # whole tiles; the weights of classes that are none stay 0
        self._weight = np.zeros((padded, weight.shape[1]), np.float32)
        self._adam = np.zeros((3, *self._weight.shape), np.float32)  # gradient, and the two moments
        self.weight = torch.from_numpy(self._weight[: len(weight)]).copy_(weight)
        self._rates, self._steps = np.array(rates, np.float64), 0
        self.result = torch.zeros(1 + 2 * len(rates), dtype=torch.int64)

    def epoch(self, order: Tensor) -> None:
        """Take a step for each mini-batch of the (N,) `order`, then validate; done when this returns."""
        hits = _train(
            values_of(self._train.x),
            self._train.y.numpy(),
            order.numpy(),
            self._batch_size,
            self._num_classes,
            self._weight,
            self._adam,
            self._rates,
            self._weight_decay,
            self._steps,
        )
        self._steps += -(-len(order) // self._batch_size)
        validated = self.hits(self._validation)
        self.result = torch.cat([validated[:1], torch.from_numpy(hits), validated[1:]])

    def hits(self, split: EmbeddedSplit) -> Tensor:
        """(1 + K) int64: whether the logits are finite, and each classifier's hits."""
        found = torch.zeros(1 + len(self._rates), dtype=torch.int64)
        _validate(values_of(split.x), split.y.numpy(), self._num_classes, self._weight, found.numpy())
        return found


@compiled_sums
def _train(
    x: Values,
    y: Rows,
    order: Rows,
    batch_size: int,
    num_classes: int,
    weight: Floats,
    adam: Floats,
    rates: NDArray[np.float64],
    weight_decay: float,
    steps: int,
) -> Rows:
    """An epoch; returns the (K,) hits in each mini-batch just before its step."""
    hits = np.zeros(len(rates), np.int64)
    gradient, mean, square = adam[0], adam[1], adam[2]
    logits = np.zeros((-(-batch_size // ROWS) * ROWS, len(weight)), np.float32)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        _multiply(x, rows, weight, logits)
        for i in range(len(rows)):
            for k in range(len(rates)):
                one, label = logits[i, k * num_classes : (k + 1) * num_classes], y[rows[i]]
                largest = _largest(one)
                hits[k] += largest == label
                _to_error(one, one[largest], label, len(rows))
        logits[len(rows) :] = 0  # rows that fill up the last tile
        _add_up(x, rows, logits, gradient)
        steps += 1
        for k in range(len(rates)):
            for c in range(k * num_classes, (k + 1) * num_classes):
                _adam(weight[c], gradient[c], mean[c], square[c], rates[k], weight_decay, steps)
    return hits


@compiled_sums
def _validate(x: Values, y: Rows, num_classes: int, weight: Floats, found: Rows) -> None:
    """Whether all logits are finite, and each classifier's hits, to the (1 + K) `found`."""
    found[:] = 0
    found[0] = 1
    rows, logits = np.empty(ROWS, np.int64), np.zeros((ROWS, len(weight)), np.float32)
    for start in range(0, len(y), ROWS):
        n = min(ROWS, len(y) - start)
        for i in range(n):
            rows[i] = start + i
        _multiply(x, rows[:n], weight, logits)
        for i in range(n):
            for k in range(len(found) - 1):
                one = logits[i, k * num_classes : (k + 1) * num_classes]
                for logit in one:
                    found[0] &= np.isfinite(logit)
                found[1 + k] += _largest(one) == y[start + i]


@compiled_sums
def _largest(logits: Floats) -> int:
    largest = 0
    for c in range(1, len(logits)):
        if logits[c] > logits[largest]:
            largest = c
    return largest


@compiled_sums
def _to_error(logits: Floats, largest: float, label: int, samples: int) -> None:
    """Make logits the gradient of the mean cross-entropy by them: (softmax - one-hot) / n."""
    total = np.float32(0)
    for c in range(len(logits)):
        logits[c] = math.exp(logits[c] - largest)
        total += logits[c]
    for c in range(len(logits)):
        logits[c] = (logits[c] / total - np.float32(c == label)) / np.float32(samples)


@compiled_sums
def _adam(
    weight: Floats, gradient: Floats, mean: Floats, square: Floats, rate: float, weight_decay: float, step: int
) -> None:
    """Adam (Kingma and Ba, arXiv 1412.6980) with the defaults of torch.optim.Adam."""
    length, decay = np.float32(rate / (1 - 0.9**step)), np.float32(weight_decay)
    correction = np.float32(1 / math.sqrt(1 - 0.999**step))
    for v in range(len(weight)):
        g = gradient[v] + decay * weight[v]
        mean[v] += np.float32(0.1) * (g - mean[v])
        square[v] += np.float32(0.001) * (g * g - square[v])
        weight[v] -= length * mean[v] / (math.sqrt(square[v]) * correction + np.float32(1e-8))


@compiled_sums
def _multiply(x: Values, rows: Rows, weight: Floats, logits: Floats) -> None:
    """logits[i] = weight @ x[rows[i]]; those that fill up the last tile are the last row's again."""
    values, last = x.shape[1], len(rows) - 1
    logits[:] = 0
    for i in range(0, len(rows), ROWS):
        a, b, c, d = x[rows[i]], x[rows[min(i + 1, last)]], x[rows[min(i + 2, last)]], x[rows[min(i + 3, last)]]
        for first in range(0, values, BLOCK):
            part = slice(first, min(first + BLOCK, values))
            for j in range(0, len(weight), CLASSES):
                _multiply_tile(a[part], b[part], c[part], d[part], weight[j:], part, logits[i:, j:])


@compiled_sums
def _multiply_tile(a: Values, b: Values, c: Values, d: Values, weight: Floats, part: slice, logits: Floats) -> None:
    w0, w1, w2, w3, w4 = weight[0, part], weight[1, part], weight[2, part], weight[3, part], weight[4, part]
    a0 = a1 = a2 = a3 = a4 = b0 = b1 = b2 = b3 = b4 = np.float32(0)
    c0 = c1 = c2 = c3 = c4 = d0 = d1 = d2 = d3 = d4 = np.float32(0)
    for v in range(len(a)):
        p, q, r, s = widen(a[v]), widen(b[v]), widen(c[v]), widen(d[v])
        a0, b0, c0, d0 = a0 + p * w0[v], b0 + q * w0[v], c0 + r * w0[v], d0 + s * w0[v]
        a1, b1, c1, d1 = a1 + p * w1[v], b1 + q * w1[v], c1 + r * w1[v], d1 + s * w1[v]
        a2, b2, c2, d2 = a2 + p * w2[v], b2 + q * w2[v], c2 + r * w2[v], d2 + s * w2[v]
        a3, b3, c3, d3 = a3 + p * w3[v], b3 + q * w3[v], c3 + r * w3[v], d3 + s * w3[v]
        a4, b4, c4, d4 = a4 + p * w4[v], b4 + q * w4[v], c4 + r * w4[v], d4 + s * w4[v]
    sums = ((a0, a1, a2, a3, a4), (b0, b1, b2, b3, b4), (c0, c1, c2, c3, c4), (d0, d1, d2, d3, d4))
    for i in range(ROWS):
        for j in range(CLASSES):
            logits[i, j] += sums[i][j]


@compiled_sums
def _add_up(x: Values, rows: Rows, error: Floats, gradient: Floats) -> None:
    """gradient = the sum over i of the outer products of error[i] and x[rows[i]]."""
    values, last = x.shape[1], len(rows) - 1
    gradient[:] = 0
    for first in range(0, values, BLOCK):
        part = slice(first, min(first + BLOCK, values))
        for i in range(0, len(rows), ROWS):
            a, b, c, d = x[rows[i]], x[rows[min(i + 1, last)]], x[rows[min(i + 2, last)]], x[rows[min(i + 3, last)]]
            for j in range(0, len(gradient), CLASSES):
                _add_up_tile(a[part], b[part], c[part], d[part], error[i:, j:], gradient[j:], part)


@compiled_sums
def _add_up_tile(a: Values, b: Values, c: Values, d: Values, error: Floats, gradient: Floats, part: slice) -> None:
    g0, g1, g2 = gradient[0, part], gradient[1, part], gradient[2, part]
    g3, g4 = gradient[3, part], gradient[4, part]
    a0, a1, a2, a3, a4 = error[0, 0], error[0, 1], error[0, 2], error[0, 3], error[0, 4]
    b0, b1, b2, b3, b4 = error[1, 0], error[1, 1], error[1, 2], error[1, 3], error[1, 4]
    c0, c1, c2, c3, c4 = error[2, 0], error[2, 1], error[2, 2], error[2, 3], error[2, 4]
    d0, d1, d2, d3, d4 = error[3, 0], error[3, 1], error[3, 2], error[3, 3], error[3, 4]
    for v in range(len(a)):
        p, q, r, s = widen(a[v]), widen(b[v]), widen(c[v]), widen(d[v])
        g0[v] += p * a0 + q * b0 + r * c0 + s * d0
        g1[v] += p * a1 + q * b1 + r * c1 + s * d1
        g2[v] += p * a2 + q * b2 + r * c2 + s * d2
        g3[v] += p * a3 + q * b3 + r * c3 + s * d3
        g4[v] += p * a4 + q * b4 + r * c4 + s * d4
