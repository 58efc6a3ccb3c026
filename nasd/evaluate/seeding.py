"""Seeds: one a trial, and from it an independent random stream for each purpose. No global random state."""

import hashlib

import torch


def derive(seed: int, purpose: str) -> int:
    """A seed in [0, 2**63) for `purpose`; different purposes and seeds give unrelated ones (BLAKE2b)."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def trial_seed(run_seed: int, number: int) -> int:
    """The seed of a run's trial `number`."""
    return derive(run_seed, f"trial/{number}")


def generator(seed: int, purpose: str) -> torch.Generator:
    """A random stream on the CPU, so that every device sees the same numbers."""
    return torch.Generator().manual_seed(derive(seed, purpose))
