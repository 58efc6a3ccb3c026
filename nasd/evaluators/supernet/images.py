"""The images of an epoch: who sees which, and how they are varied."""

from typing import NamedTuple

import torch
from torch import Tensor

from nasd.data import ImageSplit
from nasd.evaluators.seeding import generator


class Parts(NamedTuple):
    """The training images, divided once for a run. The validation and test splits are others."""

    weights: ImageSplit  # what the shared weights learn from
    controller: ImageSplit  # what the controller's rewards are measured on


def divide(train: ImageSplit, fraction: float, seed: int) -> Parts:
    """Give the controller this fraction of the training images, at least one; `seed` is the run's."""
    order = torch.randperm(len(train), generator=generator(seed, "controller's images")).to(train.labels.device)
    count = min(max(1, int(fraction * len(train))), len(train) - 2)
    return Parts(train.take(order[count:]), train.take(order[:count]))


def varied(images: Tensor, crop: int, mirror: bool, stream: torch.Generator) -> Tensor:
    """Shift each image by up to `crop` pixels, with zeros coming in, and mirror half of them.

    Args:
        images: (N, C, H, W).
        crop: Pixels of zeros around an image, out of which one of its size is cut.
        mirror: Whether images are mirrored, left to right.
        stream: On the CPU, so that every device sees the same numbers.
    """
    if not crop and not mirror:
        return images
    count, side, device = len(images), images.shape[-1], images.device
    shifts = torch.randint(2 * crop + 1, (2, count, 1), generator=stream).to(device)
    mirrored = (torch.rand(count, 1, generator=stream) < 0.5).to(device) & mirror
    padded = torch.nn.functional.pad(images, (crop, crop, crop, crop))
    places = torch.arange(side, device=device)[None]
    rows, columns = shifts[0] + places, shifts[1] + torch.where(mirrored, side - 1 - places, places)
    number = torch.arange(count, device=device)[:, None, None]
    cut = padded.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2)
