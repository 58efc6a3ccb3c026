"""The file of an epoch: shared weights, controller, both optimisers, and in its head the baseline and what was derived.

Random streams and the schedule are not in it: both are functions of the seed and of the epoch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn
from torch.optim import Optimizer

from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.networks.weights import described_bytes, read_checkpoint, restore, state_tensors


class Learner(NamedTuple):
    """A module and what trains it."""

    module: nn.Module
    optimiser: Optimizer


def write(path: Path, learners: dict[str, Learner], epoch: int, head: Mapping[str, Any]) -> None:
    """Write all that the next epoch begins with. Raises OSError."""
    tensors = {
        f"{part}/{name}": tensor
        for part, learner in learners.items()
        for name, tensor in state_tensors(*learner).items()
    }
    described = {"kind": "supernet", "epoch": epoch, **head}
    path.write_bytes(described_bytes(tensors, described))


def read(path: Path, learners: dict[str, Learner], epoch: int) -> dict[str, Any]:
    """Give the learners what the epoch `epoch` left, and return the head.

    Raises:
        EvaluationError: The file is missing, damaged, or of something else.
    """
    try:
        found = read_checkpoint(path.read_bytes())
    except OSError as error:
        raise EvaluationError(f"The file of epoch {epoch} cannot be read: {error}.") from error
    if found is None or found[0].get("kind") != "supernet" or found[0].get("epoch") != epoch:
        raise EvaluationError(f"{path} is not what epoch {epoch} left; see what nasd verify says.")
    described, tensors = found
    try:
        for part, learner in learners.items():
            prefix = f"{part}/"
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            restore(*learner, own)
    except (KeyError, RuntimeError) as error:
        raise EvaluationError(f"{path} is of another supernet: {error}.") from error
    return described
