"""What an architecture with shared weights is worth. Its batch norms first get averages of its own."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nasd.config import EncoderConfig
from nasd.data import ImageSplit
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.supernet import SupernetNetwork


def precision(device: torch.device, config: EncoderConfig) -> torch.autocast:
    """The context in which a supernet's operations are computed."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


@torch.no_grad()
def recalibrate(network: SupernetNetwork, choices: Sequence[str], images: Tensor, batch: int) -> None:
    """Give the batch norms of an architecture the plain mean of the statistics of these images' mini-batches.

    In training they are a mixture of whatever architectures passed, of which none is right for this one.
    """
    norms = network.norms_of(choices)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
    network.train()
    for part in _parts(len(images), batch):
        network(to_input(images[part]), choices)
    for norm in norms:
        norm.momentum = 0.1


@torch.no_grad()
def accuracy(network: SupernetNetwork, choices: Sequence[str], split: ImageSplit, batch: int) -> float:
    """The share of images that an architecture tells right, by the averages of its batch norms."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    for part in _parts(len(split), batch, least=1):
        right += (network(to_input(split.images[part]), choices).argmax(dim=1) == split.labels[part]).sum()
    return int(right) / len(split)


def _parts(count: int, batch: int, least: int = 2) -> Iterator[slice]:
    """Slices of `batch`; what is left of less than `least` joins the last."""
    starts = list(range(0, max(count - least + 1, 1), batch))
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        yield slice(start, stop)
