"""A data set of any size through a deep prior into a stored embedding.

With a trial's architecture, seed and mini-batches the embedding is the one that the search computed, bit for bit. It is
written shard by shard and may be killed at any moment: the same call goes on from the last 64 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from nasd import data as datasets
from nasd.config import Config
from nasd.data import Data, Fingerprint, ImageSplit, Streamed
from nasd.errors import NasdError
from nasd.evaluators.deep_prior.stream import StreamedPass, Take
from nasd.evaluators.errors import EvaluationError, is_out_of_memory
from nasd.evaluators.memory import available_bytes, fit_micro_batch, pass_bytes
from nasd.evaluators.networks.encoder import Buildable, Encoder
from nasd.evaluators.provenance import provenance
from nasd.evaluators.seeding import generator
from store.embeddings import SHARD_BYTES, Draft

Dtype = Literal["float16", "float32"]
OnStep = Callable[[int, int], None]
"""Called with the steps done and their number."""


@dataclass(frozen=True)
class DeepPrior:
    """An architecture with its random weights, and the data whose statistics it takes.

    Attributes:
        architecture: Made for images of the data's size.
        seed: Of the weights and the order of the pass; the trial's, where it is one's.
        config: Its `data`, `encoder` and `training` sections and its seed count; all classes are taken, whatever
            `search.classes` says.
        micro_batch: Samples per pass that the trial took; None: as many as fit.
        device: Such as `cpu` or `cuda:0`.
        identity: The fingerprint that the data must have; None: any.
    """

    architecture: Buildable
    seed: int
    config: Config
    micro_batch: int | None = None
    device: str = "cpu"
    identity: Fingerprint | None = None

    def load(self) -> Streamed:
        """Its data set. Raises NasdError."""
        if self.config.data.multi_label:
            raise NasdError(
                f"{self.config.data.name} has several labels per image, its networks are trained in full: there is no "
                "deep prior to embed or export; nasd retrain leaves weights that nasd.load_model reads"
            )
        identity = datasets.require_same(self.identity, self.config.data)
        return replace(datasets.stream(self.config.data, self.config.seed), identity=identity)

    def build(self, data: Streamed) -> tuple[Encoder, int]:
        """The initialised encoder, and how many samples may pass it at a time.

        Raises:
            EvaluationError: Not supported, not made for these images, or not one image fits into memory.
        """
        device = torch.device(self.device)
        with torch.device("meta"):
            encoder = Encoder(self.architecture, data.channels, self.config.encoder)
        shapes = _shapes(data)
        weights = sum(tensor.nbytes for tensor in (*encoder.parameters(), *encoder.buffers()))
        micro_batch = fit_micro_batch(
            lambda samples: weights + pass_bytes(encoder, shapes, samples, device) + 3 * SHARD_BYTES,
            self.micro_batch or min(self.config.training.batch_size, len(data.train)),
            available_bytes(device, shapes, self.config.executor.memory_limit),
        )
        encoder.to_empty(device=device)
        encoder.initialise(generator(self.seed, "weights"))
        return encoder, micro_batch

    def attributes(self, data: Streamed, micro_batch: int) -> dict[str, Any]:
        """What is written beside an embedding or a model: enough to make it again; plain JSON values."""
        return {
            **provenance(self.architecture, data, self.config, self.seed, self.device),
            "search_classes": None if (chosen := self.config.search.classes) is None else sorted(chosen),
            "batch_size": self.config.training.batch_size,
            "micro_batch": micro_batch,
            "embedding_dim": self.architecture.embedding_dim,
        }


def write_embedding(prior: DeepPrior, target: Path, *, dtype: Dtype = "float32", on_step: OnStep | None = None) -> None:
    """Embed a whole data set.

    Args:
        prior: What to embed with, and what.
        target: The embedding's folder; it must not exist. What an earlier, equal call left beside it is gone on with.
        dtype: Of the values. Computed is in `encoder.precision`.
        on_step: Told how far it is.

    Raises:
        NasdError: The data set is missing or damaged, or the architecture does not fit it or the memory.
        EmbeddingError: The target exists, another process writes it, or values are too large for the dtype.
        DiskFullError: No space; the same call goes on once there is.
        DiskError: The disk refused.
    """
    data = prior.load()
    labels = {name: (split.labels.numpy(), split.index.numpy()) for name, split in data.splits.items()}
    request = prior.attributes(data, 0)
    with Draft(target, request, labels, prior.architecture.embedding_dim, dtype) as draft:

        def take(split: str, rows: Tensor, embeddings: Tensor) -> None:
            draft.put(split, rows.numpy(), embeddings.float().cpu().numpy())

        micro_batch = _embed_into(draft, prior, data, take, on_step or (lambda _done, _steps: None))
        attributes = prior.attributes(data, micro_batch)
        del data  # the images make room for the shards
        draft.finish({**attributes, "dtype": dtype})


def _embed_into(draft: Draft, prior: DeepPrior, data: Streamed, take: Take, on_step: OnStep) -> int:
    """Do the steps that the draft lacks; returns the micro-batch."""
    encoder, micro_batch = prior.build(data)
    if "micro_batch" in draft.mark:  # the steps were counted with it
        micro_batch = int(draft.mark["micro_batch"])
    while True:
        steps = StreamedPass(encoder, data, prior.config, prior.seed, micro_batch, take)
        first = int(draft.mark.get("steps", 0))
        if first:
            steps.restore({name: torch.from_numpy(value) for name, value in _averages(draft).items()})
        try:
            for done in steps.run(first):
                on_step(done, len(steps))
                if draft.due or done == len(steps):
                    _save(draft, steps, done, micro_batch)
        except (RuntimeError, MemoryError) as error:
            if micro_batch == 1 or not is_out_of_memory(error):
                raise EvaluationError(f"torch failed: {(str(error) or 'out of memory').splitlines()[0]}") from error
        else:
            return micro_batch
        micro_batch //= 2  # it did not fit in spite of the prediction
        draft.save({})
        if prior.device != "cpu":
            torch.cuda.empty_cache()


_AVERAGE = "average/"


def _save(draft: Draft, steps: StreamedPass, done: int, micro_batch: int) -> None:
    averages = {_AVERAGE + name: value.numpy() for name, value in steps.state.items()}
    draft.save({"steps": _number(done), "micro_batch": _number(micro_batch), **averages})


def _averages(draft: Draft) -> dict[str, Any]:
    return {name.removeprefix(_AVERAGE): value for name, value in draft.mark.items() if name.startswith(_AVERAGE)}


def _number(value: int) -> Any:
    return torch.tensor(value).numpy()


def fit_statistics(prior: DeepPrior, data: Streamed, on_step: OnStep | None = None) -> tuple[Encoder, int]:
    """The encoder in eval mode, with the running averages that its pass over the training split leaves.

    Errors as `write_embedding`; returns the micro-batch too.
    """
    encoder, micro_batch = prior.build(data)
    steps = StreamedPass(encoder, data, prior.config, prior.seed, micro_batch, lambda _split, _rows, _x: None)
    for done in range(steps.training_steps):
        steps.step(done)
        if on_step is not None:
            on_step(done + 1, steps.training_steps)
    return encoder.eval(), micro_batch


def _shapes(data: Streamed) -> Data:
    """The data set without its samples: what the prediction of memory asks for."""
    none = torch.empty(0, dtype=torch.int64)
    empty = ImageSplit(torch.empty((0, data.channels, data.image_size, data.image_size), dtype=torch.uint8), none, none)
    return Data(data.name, empty, empty, empty, data.classes, data.transforms)
