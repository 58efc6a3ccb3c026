"""A memory limit under which nothing can be evaluated, found before anything is."""

import numpy as np
import torch

from nasd.data import Data
from nasd.errors import NasdError
from nasd.evaluators.bench import Bench
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.memory import available_bytes, pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Encoder

SAMPLES = 200


def require_room(bench: Bench) -> None:
    """Look whether any of some architectures of the space fits; the first one that does is enough.

    Without this, all evaluations would fail, and the search would learn from that.

    Raises:
        NasdError: None fits in the limit.
    """
    if bench.memory_limit is None or not isinstance(bench.data, Data):
        return
    available = available_bytes(bench.device, bench.data, bench.memory_limit)
    random, least = np.random.default_rng(0), None
    for _ in range(SAMPLES):
        needed = _least_bytes(bench, bench.data, random)
        if needed is None:
            continue
        if needed <= available:
            return
        least = needed if least is None else min(least, needed)
    if least is not None:
        raise NasdError(
            f"executor.memory_limit: none of {SAMPLES} architectures fits in {bench.memory_limit:,} bytes; beside the "
            f"images ({bench.data.images_nbytes:,} bytes) the smallest needs {least:,}: give more, such as 4GB"
        )


def _least_bytes(bench: Bench, data: Data, random: np.random.Generator) -> int | None:
    """What one architecture takes if images pass it one by one; None: it would not be evaluated."""
    architecture = bench.space.sample(random)
    if bench.space.feasible(architecture) is not None:
        return None
    try:
        with torch.device("meta"):
            encoder = Encoder(architecture, data.channels, bench.config.encoder)
        return resident_bytes(encoder, data, bench.config) + pass_bytes(encoder, data, 1, bench.device)
    except EvaluationError:
        return None
