"""The classifier's steps on a CPU: every mini-batch is read from where the embeddings lie.

torch would gather it first and then multiply it twice, by matrices of ten rows, which are too narrow for the libraries
below: a third of the speed (docs/performance.md). Here a tile of samples and classes runs along the values, its sums in
registers. All of it on one thread: every bit is independent of what else the machine does.

The loop over mini-batches is Python's: were it compiled, what it calls would be compiled with it a second time.

Compiling these loops takes two seconds, when a process first needs them.
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
        self._logits = np.zeros((-(-self._batch_size // ROWS) * ROWS, padded), np.float32)
        self._rates, self._steps = np.array(rates, np.float64), 0
        self.result = torch.zeros(1 + 2 * len(rates), dtype=torch.int64)

    def epoch(self, order: Tensor) -> None:
        """Take a step for each mini-batch of the (N,) `order`, then validate; done when this returns."""
        x, y, gradient = values_of(self._train.x), self._train.y.numpy(), self._adam[0]
        hits = np.zeros(len(self._rates), np.int64)
        for rows in np.split(order.numpy(), range(self._batch_size, len(order), self._batch_size)):
            _multiply(x, rows, self._weight, self._logits)
            _to_errors(self._logits, y, rows, self._num_classes, hits)
            _add_up(x, rows, self._logits, gradient)
            self._steps += 1
            _step(self._weight, self._adam, self._num_classes, self._rates, self._weight_decay, self._steps)
        validated = self.hits(self._validation)
        self.result = torch.cat([validated[:1], torch.from_numpy(hits), validated[1:]])

    def hits(self, split: EmbeddedSplit) -> Tensor:
        """(1 + K) int64: whether the logits are finite, and each classifier's hits."""
        x, y, shape = values_of(split.x), split.y.numpy(), (-1, len(self._rates), self._num_classes)
        finite, hits = True, np.zeros(len(self._rates), np.int64)
        for start in range(0, len(y), self._batch_size):
            rows = np.arange(start, min(start + self._batch_size, len(y)))
            _multiply(x, rows, self._weight, self._logits)
            logits = self._logits[: len(rows), : len(self.weight)].reshape(shape)
            finite &= bool(np.isfinite(logits).all())
            hits += (logits.argmax(2) == y[rows, np.newaxis]).sum(0)
        return torch.from_numpy(np.array([finite, *hits]))


@compiled_sums
def _to_errors(logits: Floats, y: Rows, rows: Rows, num_classes: int, hits: Rows) -> None:
    """Make logits the gradient of the mean cross-entropy by them: (softmax - one-hot) / n.

    The hits of each classifier are added to the (K,) `hits`.
    """
    for i in range(len(rows)):
        label = y[rows[i]]
        for k in range(len(hits)):
            one, best, total = logits[i, k * num_classes : (k + 1) * num_classes], 0, np.float32(0)
            for c in range(1, num_classes):
                if one[c] > one[best]:
                    best = c
            hits[k] += best == label
            largest = one[best]
            for c in range(num_classes):
                one[c] = math.exp(one[c] - largest)
                total += one[c]
            for c in range(num_classes):
                one[c] = (one[c] / total - np.float32(c == label)) / np.float32(len(rows))
    logits[len(rows) :] = 0  # rows that fill up the last tile


@compiled_sums
def _step(
    weight: Floats, adam: Floats, num_classes: int, rates: NDArray[np.float64], weight_decay: float, step: int
) -> None:
    """Adam (Kingma and Ba, arXiv 1412.6980) with the defaults of torch.optim.Adam, each classifier at its rate."""
    decay, correction = np.float32(weight_decay), np.float32(1 / math.sqrt(1 - 0.999**step))
    for c in range(num_classes * len(rates)):
        length = np.float32(rates[c // num_classes] / (1 - 0.9**step))
        w, gradient, mean, square = weight[c], adam[0, c], adam[1, c], adam[2, c]
        for v in range(len(w)):
            g = gradient[v] + decay * w[v]
            mean[v] += np.float32(0.1) * (g - mean[v])
            square[v] += np.float32(0.001) * (g * g - square[v])
            w[v] -= length * mean[v] / (math.sqrt(square[v]) * correction + np.float32(1e-8))


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
