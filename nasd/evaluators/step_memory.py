"""How much memory a training step takes, known before it runs; beside `memory`, which does so for a deep prior."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nasd.data import Data, Streamed
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.memory import PeakMemory
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.objective import summed_loss


class StepMemory(PeakMemory):  # type: ignore[no-untyped-call]
    """Knows of one more working memory: where the gradient comes in the other layout, as behind the flattening, the
    backward pass of max pooling copies its result and the places of the maxima (measured on the CPU).
    """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is torch.ops.aten.max_pool2d_with_indices_backward.default and not _channels_last(args[0]):
            self.peak = max(self.peak, self.live + result.nbytes + args[-1].nbytes)
        return result


def _channels_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)


def step_bytes(network: nn.Module, data: Data | Streamed, samples: int) -> int:
    """Peak of forward and backward pass of `samples` images, gradients included, weights and images not, in bytes.

    Args:
        network: On the meta device; its gradients are gone afterwards.
        data: For the shape of its images and labels.
        samples: Images that pass at a time.

    Raises:
        EvaluationError: The architecture is not made for images of this size.
    """
    images = torch.empty((samples, data.channels, data.image_size, data.image_size), dtype=torch.uint8, device="meta")
    like = data.train.labels
    labels = torch.empty((samples, *like.shape[1:]), dtype=like.dtype, device="meta")
    network.train()
    try:
        with StepMemory() as memory:
            logits = network(to_input(images))
            (summed_loss(logits, labels) / samples).backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:  # a window larger than the image
        raise EvaluationError(f"The architecture does not fit images of {data.image_size} pixels: {error}") from error
    finally:
        network.zero_grad(set_to_none=True)
    peak: int = memory.peak
    return peak


def state_bytes(network: nn.Module) -> int:
    """Weights, buffers and the two moments of Adam."""
    weights = sum(parameter.nbytes for parameter in network.parameters())
    return 3 * weights + sum(buffer.nbytes for buffer in network.buffers())
