"""Seeds derived from a run's seed, so that each evaluation has its own and none depends on what ran before it."""

import hashlib


def derive(seed: int, *names: int | str) -> int:
    """A 63-bit seed for what `names` say, such as `derive(run_seed, "trial", 12)`."""
    text = ":".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def trial_seed(run_seed: int, number: int) -> int:
    """The seed of a trial's evaluation."""
    return derive(run_seed, "trial", number)
