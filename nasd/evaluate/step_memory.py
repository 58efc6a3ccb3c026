"""How much memory a training step takes, known before it runs; beside `memory`, which does so for a deep prior."""

import torch
from torch.nn import functional

from nasd.data import Data
from nasd.evaluate.embed import to_input
from nasd.evaluate.errors import EvaluationError
from nasd.evaluate.memory import PeakMemory
from nasd.evaluate.network import Network


def step_bytes(network: Network, data: Data, samples: int) -> int:
    """Peak of forward and backward pass of `samples` images, gradients included, weights and images not, in bytes.

    Args:
        network: On the meta device; its gradients are gone afterwards.
        data: For the shape of its images.
        samples: Images that pass at a time.

    Raises:
        EvaluationError: The architecture is not made for images of this size.
    """
    images = torch.empty((samples, *data.train.images.shape[1:]), dtype=torch.uint8, device="meta")
    labels = torch.empty(samples, dtype=torch.int64, device="meta")
    network.train()
    try:
        with PeakMemory() as memory:
            logits = network(to_input(images))
            functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:  # a window larger than the image
        raise EvaluationError(f"The architecture does not fit images of {data.image_size} pixels: {error}") from error
    finally:
        network.zero_grad(set_to_none=True)
    peak: int = memory.peak
    return peak


def state_bytes(network: Network) -> int:
    """Weights, buffers and the two moments of Adam."""
    weights = sum(parameter.nbytes for parameter in network.parameters())
    return 3 * weights + sum(buffer.nbytes for buffer in network.buffers())
