"""Loops over activations that torch has no fast operation for, compiled by numba: importing this takes seconds.

Activations are in memory channel by channel, position after position, image after image (channels last). `lanes` are
the values of one or several neighbouring positions: loops run over as many values as a processor does at a time.
They hold no lock of Python's, call nothing, and add up in an order that only the shape decides.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@numba.njit("UniTuple(float32[::1], 2)(float32[:, ::1], int64, int64)", nogil=True)
def moments(x: Floats, channels: int, block: int) -> tuple[Floats, Floats]:
    """Mean and biased variance (C,) of x (rows, lanes), `block` rows at a time.

    Each block is read from memory once: its own mean and squared deviations are found while it is in the cache, and
    merged with those of the blocks before it (Chan et al. 1979).
    """
    rows, lanes = x.shape
    mean, squares = np.zeros(channels), np.zeros(channels)
    block_mean, block_squares = np.empty(channels), np.empty(channels)
    sums, centre = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    before = 0
    for start in range(0, rows, block):
        stop = min(start + block, rows)
        count = (stop - start) * (lanes // channels)
        sums[:] = 0
        for row in range(start, stop):
            for lane in range(lanes):
                sums[lane] += x[row, lane]
        block_mean[:] = 0
        for first in range(0, lanes, channels):
            for channel in range(channels):
                block_mean[channel] += sums[first + channel]
        block_mean /= count
        for first in range(0, lanes, channels):
            for channel in range(channels):
                centre[first + channel] = block_mean[channel]
        sums[:] = 0
        for row in range(start, stop):
            for lane in range(lanes):
                deviation = x[row, lane] - centre[lane]
                sums[lane] += deviation * deviation
        block_squares[:] = 0
        for first in range(0, lanes, channels):
            for channel in range(channels):
                block_squares[channel] += sums[first + channel]
        for channel in range(channels):
            delta = block_mean[channel] - mean[channel]
            mean[channel] += delta * count / (before + count)
            squares[channel] += block_squares[channel] + delta * delta * before * count / (before + count)
        before += count
    return mean.astype(np.float32), (squares / before).astype(np.float32)


@numba.njit("void(float32[:, ::1], float32[::1], float32[::1], float32[::1], float32[::1], float64)", nogil=True)
def rectify(x: Floats, mean: Floats, variance: Floats, weight: Floats, bias: Floats, eps: float) -> None:
    """Make x (rows, lanes) the ReLU of its batch norm with these (C,) values; NaN stays NaN."""
    rows, lanes = x.shape
    scale, shift = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    for lane in range(lanes):
        channel = lane % len(mean)
        scale[lane] = weight[channel] / np.sqrt(variance[channel] + eps)
        shift[lane] = bias[channel] - mean[channel] * scale[lane]
    for row in range(rows):
        for lane in range(lanes):
            value = x[row, lane] * scale[lane] + shift[lane]
            x[row, lane] = np.float32(0) if value < 0 else value


@numba.njit("float32(float32, float32)", nogil=True, inline="always")
def _larger(a: float, b: float) -> float:
    return a if a > b or a != a else b  # noqa: PLR0124 - NaN is larger than everything


@numba.njit("void(float32[:, :, ::1], int64, int64, float32[:, :, :, ::1])", nogil=True)
def max_pool(x: Floats, size: int, stride: int, out: Floats) -> None:
    """Maxima over windows of size x size, `stride` apart, of x (N, H, W * C); out is (N, H', W', C)."""
    images, height, width, channels = out.shape
    lanes = x.shape[2]
    column = np.empty(lanes, np.float32)
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
