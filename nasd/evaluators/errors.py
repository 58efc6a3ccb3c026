"""Why one architecture cannot be evaluated."""

import torch

from nasd.box import faults
from nasd.errors import NasdError
from nasd.outcome import Failed


class EvaluationError(NasdError):
    """One architecture cannot be evaluated; the message, a sentence, becomes the failed trial's reason."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine ran out of memory. torch's CPU allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def failed(error: EvaluationError | RuntimeError | MemoryError) -> Failed:
    """What an evaluation ends as that cannot be finished.

    Raises:
        RuntimeError: The error itself, where the box is at fault and not the architecture.
    """
    if isinstance(error, EvaluationError):
        return Failed(reason=str(error))
    if faults.of_error(error) is not None:
        raise error
    what = "Out of memory, even with the fewest images at a time" if is_out_of_memory(error) else "torch failed"
    return Failed(reason=f"{what}: {(str(error) or type(error).__name__).splitlines()[0]}")
