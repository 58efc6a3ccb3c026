"""Batch norm's statistics, batch norm with ReLU, and max pooling on a CPU, several times as fast as torch's."""

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from nasd.evaluators.compiled import Values

LANES = 64  # that a loop should run over at least
BLOCK = 1 << 14  # values of a block: of each lane few enough to be added up in float32


def fits(x: Tensor) -> bool:
    """Whether the loops take x: on a CPU, channels last, float32 or bfloat16, and no gradient is wanted now or later.

    What is on the meta device stands for what will be on a CPU.
    """
    return (
        torch.is_inference_mode_enabled()
        and x.dtype in (torch.float32, torch.bfloat16)
        and (x.is_meta or (x.is_cpu and x.is_contiguous(memory_format=torch.channels_last)))
    )


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """The (C,) mean and biased variance of any x (N, C, H, W), in float32."""
    if not fits(x):
        variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        return mean, variance
    if x.is_meta:
        mean, variance = x.new_empty((2, x.shape[1]), dtype=torch.float32)
        return mean, variance
    loops, values_of = _compiled()
    values = values_of(_lanes(x))
    mean, variance = loops.moments(values, x.shape[1], max(1, BLOCK // values.shape[1]))
    return torch.from_numpy(mean), torch.from_numpy(variance)


def rectify_(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """x (N, C, H, W), which `fits`, made the ReLU of its batch norm with these (C,) values."""
    if not x.is_meta:
        loops, values_of = _compiled()
        loops.rectify(*map(values_of, (_lanes(x), mean, variance, weight, bias)), eps)
    return x


def max_pool(x: Tensor, size: int, stride: int) -> Tensor:
    """Max pooling of any x (N, C, H, W) in windows of size x size; bit for bit torch's."""
    if not fits(x) or min(x.shape[2:]) < size:  # torch has the words for a window larger than the image
        return functional.max_pool2d(x, size, stride)
    samples, channels, *sides = x.shape
    height, width = ((side - size) // stride + 1 for side in sides)
    out = x.new_empty((samples, height, width, channels))
    if not x.is_meta:
        loops, values_of = _compiled()
        loops.max_pool(values_of(x.permute(0, 2, 3, 1).flatten(2)), size, stride, values_of(out))
    return out.permute(0, 3, 1, 2)


def _lanes(x: Tensor) -> Tensor:
    """x as (rows, lanes): a lane is a channel, or, where these are few, a channel at a place in the row of an image."""
    samples, channels, height, width = x.shape
    by_position = x.permute(0, 2, 3, 1)
    if channels >= LANES:
        return by_position.view(samples * height * width, channels)
    return by_position.view(samples * height, width * channels)


@cache
def _compiled() -> tuple[ModuleType, "Callable[[Tensor], Values]"]:
    from nasd.evaluators.compiled import values_of  # noqa: PLC0415
    from nasd.evaluators.networks import activation_loops  # noqa: PLC0415 - numba: half a second

    return activation_loops, values_of
