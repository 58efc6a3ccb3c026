"""Why one architecture cannot be evaluated."""

import torch

from nasd.errors import NasdError


class EvaluationError(NasdError):
    """One architecture cannot be evaluated; the message, a sentence, becomes the failed trial's reason."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine ran out of memory. torch's CPU allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
