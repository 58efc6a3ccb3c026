"""Mini-batches of images: which rows, and as what a network takes them."""

import torch
from torch import Tensor

from nasd.evaluators.seeding import generator


def mini_batches(samples: int, batch_size: int, seed: int) -> tuple[Tensor, ...]:
    """The training split's rows, shuffled and cut into mini-batches of `batch_size`.

    A single left-over sample joins the mini-batch before it: it has no statistics of its own.
    """
    rows = torch.randperm(samples, generator=generator(seed, "pass order"))
    return torch.tensor_split(rows, list(range(batch_size, samples - 1, batch_size)))


def to_input(images: Tensor) -> Tensor:
    """(N, C, H, W) uint8 -> float32 in [0, 1]; channels last, in which the CPU convolves two to four times as fast."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255.0)
