"""The deep-prior pass in steps, for data sets and embeddings that need not fit into memory.

The same passes as `embed`, and the same embeddings bit for bit. After each step everything that the later ones depend
on is `StreamedPass.state`, so that a process that was killed goes on from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nasd.config import Config
from nasd.data import Images, Streamed
from nasd.evaluators.deep_prior.embed import average_in, embed_mini_batch, momentum, replica
from nasd.evaluators.mini_batches import mini_batches, to_input
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.threads import one_thread_each

Take = Callable[[str, Tensor, Tensor], None]
"""Given a split's name, row numbers (n,) and their embeddings (n, D) on the encoder's device."""


class StreamedPass:
    """All steps of one pass: the mini-batches of the training split, then whatever is embedded in eval mode.

    Args:
        encoder: Initialised, on its device.
        data: What to embed.
        config: Its `encoder` and `training` sections count.
        seed: The trial's; fixes the order of the pass.
        micro_batch: Samples that pass the encoder at a time.
        take: Is given the embeddings; called with a row at most once a step.
    """

    def __init__(
        self, encoder: Encoder, data: Streamed, config: Config, seed: int, micro_batch: int, take: Take
    ) -> None:
        self._encoder, self._data, self._micro_batch, self._take = encoder, data, micro_batch, take
        self._device = next(encoder.parameters()).device
        self._population = config.encoder.batch_norm_statistics == "population" and bool(encoder.norms())
        self._batches = mini_batches(len(data.train), config.training.batch_size, seed)
        self._chunks = [
            (name, torch.arange(start, min(start + micro_batch, len(split))))
            for name, split in data.splits.items()
            if name != "train" or self._population
            for start in range(0, len(split), micro_batch)
        ]
        for norm in encoder.norms():
            norm.reset_running_stats()
        self._replica = replica(encoder)

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._batches) + len(self._chunks)

    @property
    def training_steps(self) -> int:
        """Steps after which the running averages do not change any more."""
        return len(self._batches)

    @property
    def state(self) -> dict[str, Tensor]:
        """The running averages of all batch norms, by name, on the CPU."""
        return {name: buffer.to("cpu", copy=True) for name, buffer in self._encoder.named_buffers()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a `state` that an equal pass had."""
        for name, buffer in self._encoder.named_buffers():
            buffer.copy_(state[name])

    @torch.inference_mode()
    @one_thread_each()
    def step(self, number: int) -> None:
        """Do one step; they have to be done in order, from 0.

        Raises:
            DataMissingError: An image is damaged.
            RuntimeError: torch's own, such as too little memory.
        """
        if number < len(self._batches):
            rows = self._batches[number]
            images = _OnDevice(self._data.train.images, self._device)
            out = None if self._population else _Taken("train", self._take)
            statistics = embed_mini_batch(self._replica, images, rows, self._micro_batch, out)
            average_in(self._encoder, statistics, momentum(number + 1, population=self._population))
        else:
            name, rows = self._chunks[number - len(self._batches)]
            self._encoder.eval()
            images = _OnDevice(self._data.splits[name].images, self._device)
            self._take(name, rows, self._encoder(to_input(images[rows])))

    def run(self, first: int = 0) -> Iterator[int]:
        """Do the steps from `first` on; yields how many are done."""
        for number in range(first, len(self)):
            self.step(number)
            yield number + 1


@dataclass(frozen=True)
class _OnDevice:
    images: Images
    device: torch.device

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self.images[rows].to(self.device)


@dataclass(frozen=True)
class _Taken:
    split: str
    take: Take
    dtype: torch.dtype = torch.float32

    def __setitem__(self, rows: Tensor, embeddings: Tensor) -> None:
        self.take(self.split, rows, embeddings)
