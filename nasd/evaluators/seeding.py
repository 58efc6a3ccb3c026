"""Random streams of an evaluation, one for each purpose. No global random state."""

import torch

from nasd.seeding import derive


def generator(seed: int, purpose: str) -> torch.Generator:
    """A random stream on the CPU, so that every device sees the same numbers."""
    return torch.Generator().manual_seed(derive(seed, purpose))
