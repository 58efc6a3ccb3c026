"""How much memory an evaluation takes, known before it runs.

The pass is walked once on torch's meta device, where tensors have shapes but no bytes: every tensor that the real pass
will allocate is created and released at the same moment, and the largest sum of live ones is the peak. On top comes
what a convolution library takes besides: a copy of one layer's weights in its own layout. Measured on the CPU
(oneDNN, channels last, against the process's resident set) this is right to a few percent, and a test holds
it to that. A library that takes more than that on some device is what the halving in `evaluate` is for.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nasd.box import limits
from nasd.config import Config
from nasd.data import Data, Streamed
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.encoder import Encoder

FLOAT = 4  # bytes
CONVOLUTIONS = (torch.ops.aten.convolution.default, torch.ops.aten.conv2d.default)  # the other one in inference mode


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that operations create and that are still alive. `peak` is in bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: int = 0
        self.peak: int = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        for tensor in _tensors(args):  # what was there before is not counted
            self._add(tensor, 0)
        result = func(*args, **(kwargs or {}))
        if func in CONVOLUTIONS:  # torch's meta device takes the other layout than its real ones do
            result = torch.empty_like(result, memory_format=torch.channels_last)
        for tensor in _tensors(result):
            self._add(tensor, tensor.untyped_storage().nbytes())
        workspace = args[1].nbytes if func in CONVOLUTIONS else 0
        self.peak = max(self.peak, self.live + workspace)
        return result

    def _add(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            self.live += size
            weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def pass_bytes(encoder: Encoder, data: Data, samples: int, device: torch.device | str = "cpu") -> int:
    """Peak of one pass of `samples` images in train mode, in bytes, weights and images not counted.

    Args:
        encoder: On the meta device.
        data: For the shape of its images.
        samples: Images that pass at a time.
        device: Where they will.

    Raises:
        EvaluationError: The architecture is not made for images of this size.
    """
    in_loops = torch.device(device).type == "cpu"  # see `activations.fits`
    images = torch.empty((samples, *data.train.images.shape[1:]), dtype=torch.uint8, device="meta")
    encoder.train()
    try:  # in this order: inference mode, where it is off, turns gradients on
        with torch.inference_mode(in_loops), torch.no_grad(), PeakMemory() as memory:
            embedding = encoder(to_input(images))
    except RuntimeError as error:  # a window larger than the image
        raise EvaluationError(f"The architecture does not fit images of {data.image_size} pixels: {error}") from error
    if embedding.shape[1] != encoder.embedding_dim:
        raise EvaluationError(
            f"The architecture is made for other images: {data.image_size} pixels a side give {embedding.shape[1]} "
            f"values, not {encoder.embedding_dim}."
        )
    peak: int = memory.peak
    return peak


def resident_bytes(encoder: Encoder, data: Data, config: Config) -> int:
    """What stays for the whole evaluation besides the images: encoder, all embeddings, classifier and its optimiser."""
    samples = sum(len(split) for split in data.splits.values())
    weights = sum(tensor.nbytes for tensor in (*encoder.parameters(), *encoder.buffers()))
    classifier = 6 * data.num_classes * encoder.embedding_dim  # weights, gradient, two moments of Adam; factors
    row = encoder.dtype.itemsize * encoder.embedding_dim
    gathered = row * config.training.batch_size
    # Logits, targets, a copy of either while they are counted; labels and hits, twice as long as floats.
    logits = (3 * data.num_classes + 6) * max(len(split) for split in data.splits.values())
    return weights + samples * row + gathered + FLOAT * (classifier + logits)


def available_bytes(device: torch.device, data: Data | Streamed, memory_limit: int | None) -> int:
    """Bytes that an evaluation may take now, the images (already resident) not counted."""
    if memory_limit is not None:
        return memory_limit - data.images_nbytes
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return limits.available_memory()


def fit_micro_batch(needed: Callable[[int], int], largest: int, available: int) -> int:
    """The largest of `largest`, `largest / 2`, ... samples for which `needed(samples)` bytes are available.

    Raises:
        EvaluationError: Not even one sample fits.
    """
    samples = largest
    while (bytes_needed := needed(samples)) > available:
        if samples == 1:
            raise EvaluationError(
                f"It does not fit in memory: one image at a time needs {bytes_needed:,} bytes, "
                f"{max(available, 0):,} are available."
            )
        samples //= 2
    return samples
