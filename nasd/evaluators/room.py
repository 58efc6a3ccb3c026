"""A memory limit under which nothing can be evaluated, found before anything is."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nasd.errors import NasdError
from nasd.evaluators.bench import Bench
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.memory import available_bytes

SAMPLES = 200


def require_room(bench: Bench, least_bytes: Callable[[Any], int]) -> None:
    """Look whether any of some architectures of the space fits; the first one that does is enough.

    Without this, all evaluations would fail, and the search would learn from that.

    Args:
        bench: Where architectures are evaluated.
        least_bytes: What an evaluation of an architecture takes beside the images, with as few of them at a time as
            can be. It raises EvaluationError where the architecture would not be evaluated.

    Raises:
        NasdError: None fits in the limit.
    """
    if bench.memory_limit is None:
        return
    available = available_bytes(bench.device, bench.data, bench.memory_limit)
    random, least = np.random.default_rng(0), None
    for _ in range(SAMPLES):
        architecture = bench.space.sample(random)
        if bench.space.feasible(architecture) is not None:
            continue
        try:
            needed = least_bytes(architecture)
        except EvaluationError:
            continue
        if needed <= available:
            return
        least = needed if least is None else min(least, needed)
    if least is not None:
        raise NasdError(
            f"executor.memory_limit: none of {SAMPLES} architectures fits in {bench.memory_limit:,} bytes; beside the "
            f"images ({bench.data.images_nbytes:,} bytes) the smallest needs {least:,}: give more, such as 4GB"
        )
