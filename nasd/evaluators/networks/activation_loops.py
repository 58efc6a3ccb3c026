"""Loops over activations that torch has no fast operation for; compiling them takes two seconds.

Activations are in memory channel by channel, position after position, image after image (channels last). `lanes` are
the values of one or several neighbouring positions: loops run over as many values as a processor does at a time.
They hold no lock of Python's, call nothing, and add up in an order that only the shape decides.
"""

from typing import Any

import numpy as np

from nasd.evaluators.compiled import Floats, Values, compiled, narrow, widen


@compiled
def moments(x: Values, channels: int, block: int) -> tuple[Floats, Floats]:
    """Mean and biased variance (C,) of x (rows, lanes), `block` rows at a time.

    Of each block the deviations from the mean of those before it, and their squares, are added up, which loses little
    in float32, and merged with those (Chan et al. 1979). The first block comes twice: a mean is needed to begin with.
    """
    rows, lanes = x.shape
    mean, squares = np.zeros(channels), np.zeros(channels)
    centre, sums, powers = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    total, power = np.empty(channels), np.empty(channels)
    before = 0
    for number in range(-1, -(-rows // block)):
        start = max(number, 0) * block
        stop = min(start + block, rows)
        for first in range(0, lanes, channels):
            for channel in range(channels):
                centre[first + channel] = mean[channel]
        sums[:] = 0
        powers[:] = 0
        for row in range(start, stop):
            for lane in range(lanes):
                deviation = widen(x[row, lane]) - centre[lane]
                sums[lane] += deviation
                powers[lane] += deviation * deviation
        total[:] = 0
        power[:] = 0
        for first in range(0, lanes, channels):
            for channel in range(channels):
                total[channel] += sums[first + channel]
                power[channel] += powers[first + channel]
        count = (stop - start) * (lanes // channels)
        for channel in range(channels):
            off = total[channel] / count
            delta = centre[channel] + off - mean[channel]
            mean[channel] += delta * count / (before + count)
            squares[channel] += power[channel] - total[channel] * off
            squares[channel] += delta * delta * before * count / (before + count)
        if number < 0:
            squares[:] = 0
        else:
            before += count
    return mean.astype(np.float32), (squares / before).astype(np.float32)


@compiled
def rectify(x: Values, mean: Floats, variance: Floats, weight: Floats, bias: Floats, eps: float) -> None:
    """Make x (rows, lanes) the ReLU of its batch norm with these (C,) values; NaN stays NaN."""
    rows, lanes = x.shape
    scale, shift = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    for lane in range(lanes):
        channel = lane % len(mean)
        scale[lane] = weight[channel] / np.sqrt(variance[channel] + eps)
        shift[lane] = bias[channel] - mean[channel] * scale[lane]
    for row in range(rows):
        for lane in range(lanes):
            value = widen(x[row, lane]) * scale[lane] + shift[lane]
            x[row, lane] = narrow(np.float32(0) if value < 0 else value, x[row, lane])


@compiled
def _larger(one: Any, other: Any) -> Any:
    a, b = widen(one), widen(other)
    return one if a > b or a != a else other  # noqa: PLR0124 - NaN is larger than everything


@compiled
def max_pool(x: Values, size: int, stride: int, out: Values) -> None:
    """Maxima over windows of size x size, `stride` apart, of x (N, H, W * C); out is (N, H', W', C)."""
    images, height, width, channels = out.shape
    lanes = x.shape[2]
    column = np.empty(lanes, x.dtype)
    for image in range(images):
        for row in range(height):
            for lane in range(lanes):
                column[lane] = x[image, row * stride, lane]
            for further in range(1, size):
                below = x[image, row * stride + further]
                for lane in range(lanes):
                    column[lane] = _larger(below[lane], column[lane])
            for position in range(width):
                target, at = out[image, row, position], position * stride * channels
                left = column[at : at + channels]
                for channel in range(channels):
                    target[channel] = left[channel]
                for _ in range(1, size):
                    at += channels
                    right = column[at : at + channels]
                    for channel in range(channels):
                        target[channel] = _larger(right[channel], target[channel])
