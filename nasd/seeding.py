"""Seeds derived from a run's seed, so that each evaluation has its own and none depends on what ran before it.

Free of torch: the daemon derives a trial's seed, the evaluator derives the streams within a trial from it.
"""

import hashlib


def derive(seed: int, purpose: str) -> int:
    """A seed in [0, 2**63) for `purpose`; different purposes and seeds give unrelated ones (BLAKE2b)."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def trial_seed(run_seed: int, number: int) -> int:
    """The seed of a run's trial `number`."""
    return derive(run_seed, f"trial/{number}")
