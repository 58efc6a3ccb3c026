"""The deep-prior pass: images in, embeddings out, nothing trained (DP-NAS, arXiv 2104.06788).

`batch` statistics, as published: one pass over the training split in train mode, every mini-batch normalised with its
own statistics while the running averages are kept (momentum 0.1); validation and test in eval mode with those averages.
The averages begin with the plain mean of the first ten mini-batches instead of with 0 and 1: after the 422 mini-batches
of FashionMNIST nothing is left of the difference, after the 11 of digits a third of the average would be the 0 and 1.
`population` statistics: a first pass over the training split only to average the statistics of its mini-batches, all
with the same weight (as torch.optim.swa_utils.update_bn does); then every split in eval mode with the same ones.

Where memory takes only a part of a mini-batch at a time (`micro_batch`), its statistics are still those of the whole:
they are found layer by layer, each time with all parts, and only then are the parts embedded. Nothing but the order of
additions differs, at the price of one more partial pass for each batch norm. The published code takes the statistics
of each part instead, so that its embeddings depend on how much memory was free.
"""

import copy
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from nasd.config import Config
from nasd.data import Data, Images, ImageSplit
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.graph import recorded
from nasd.evaluators.mini_batches import mini_batches, to_input
from nasd.evaluators.networks import activations
from nasd.evaluators.networks.batch_norm import BatchNorm
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.threads import in_order, one_thread_each

MOMENTUM = 0.1  # torch's default, and the published code's


Statistics = list[Tensor]
"""Of a mini-batch: the (C,) mean and unbiased variance of what reached the first batch norm, the second, and so on."""


class Look(NamedTuple):
    """Something to do when the first images of the training split are embedded."""

    images: int  # after the mini-batch that holds the last of them
    take: Callable[[EmbeddedSplit], None]  # what it raises ends the pass


@torch.inference_mode()
@one_thread_each()
def embed(
    encoder: Encoder,
    data: Data,
    config: Config,
    seed: int,
    micro_batch: int,
    threads: int = 1,
    looks: Sequence[Look] = (),
) -> tuple[EmbeddedSplit, EmbeddedSplit, EmbeddedSplit]:
    """Embed the training, validation and test split.

    Args:
        encoder: Initialised, on the data's device.
        data: What to embed.
        config: Its `encoder` and `training` sections count.
        seed: The trial's; fixes the order of the pass.
        micro_batch: Samples that pass the encoder at a time.
        threads: Mini-batches that pass at the same time, each on a thread; more than one on the CPU only.
        looks: At the first images of the training split, ascending. They change nothing; only where statistics are
            those of each mini-batch.

    Raises:
        EvaluationError: The embedding is not finite.
    """
    population = config.encoder.batch_norm_statistics == "population" and bool(encoder.norms())
    for norm in encoder.norms():
        norm.reset_running_stats()
    train, validation, test = (_empty(encoder, split) for split in (data.train, data.validation, data.test))
    batches = mini_batches(len(data.train), config.training.batch_size, seed)
    out = None if population else train.x
    done = 0
    for stop, look in (*_stops(looks, batches), (len(batches), None)):
        found = in_train_mode(encoder, data.train.images, batches[done:stop], micro_batch, out, threads)
        for number, statistics in enumerate(found, done + 1):
            average_in(encoder, statistics, momentum(number, population=population))
        done = stop
        if look is not None:
            look(train.take(torch.cat(batches[:stop])))
    encoder.eval()
    if population:
        in_eval_mode(encoder, data.train, micro_batch, train.x, threads)
    in_eval_mode(encoder, data.validation, micro_batch, validation.x, threads)
    in_eval_mode(encoder, data.test, micro_batch, test.x, threads)
    for split in (train, validation, test):
        if not all(bool(extreme.isfinite()) for extreme in split.x.aminmax()):  # NaN is passed on by both
            raise EvaluationError("The embedding is not finite: its values overflow float32.")
    return train, validation, test


def _stops(
    looks: Sequence[Look], batches: Sequence[Tensor]
) -> Iterator[tuple[int, Callable[[EmbeddedSplit], None] | None]]:
    """After how many mini-batches each look comes; none after all of them, where nothing is left to be saved."""
    ends = list(accumulate(map(len, batches)))
    for look in looks:
        stop = bisect_left(ends, look.images) + 1
        if stop < len(batches):
            yield stop, look.take


def momentum(number: int, *, population: bool) -> float:
    """How much mini-batch `number` (from 1) counts in the running averages."""
    return 1 / number if population else max(MOMENTUM, 1 / number)


def replica(encoder: Encoder) -> Encoder:
    """The same weights in train mode, with running averages of its own: those of the last mini-batch alone."""
    other = copy.deepcopy(encoder, {id(parameter): parameter for parameter in encoder.parameters()})
    for norm in other.norms():
        norm.momentum = 1.0
    return other.train()


def average_in(encoder: Encoder, statistics: Statistics, share: float) -> None:
    """Move the running averages towards those of a mini-batch, by a share in (0, 1]."""
    if averages := _running(encoder):
        torch._foreach_lerp_(averages, statistics, share)
    for norm in encoder.norms():
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)


def _running(encoder: Encoder) -> Statistics:
    moments = ((norm.running_mean, norm.running_var) for norm in encoder.norms())
    return [moment for both in moments for moment in both if moment is not None]


def in_train_mode(
    encoder: Encoder, images: Tensor, batches: Sequence[Tensor], micro_batch: int, out: Tensor | None, threads: int
) -> Iterator[Statistics]:
    """Pass all mini-batches of the training split, and yield the statistics of each, in order; to be exhausted.

    Arguments are those of `embed` and `embed_mini_batch`.
    """
    if images.is_cuda:
        yield from _on_gpu(replica(encoder), images, batches, micro_batch, out)
        return
    replicas: SimpleQueue[Encoder] = SimpleQueue()
    for _ in range(threads):
        replicas.put(replica(encoder))

    @torch.inference_mode()
    def work(rows: Tensor) -> Statistics:
        mine = replicas.get()
        try:
            return [value.clone() for value in embed_mini_batch(mine, images, rows, micro_batch, out)]
        finally:
            replicas.put(mine)

    yield from in_order(work, batches, threads if threads > 1 else 0, ahead=2 * threads)


def _on_gpu(
    encoder: Encoder, images: Tensor, batches: Sequence[Tensor], micro_batch: int, out: Tensor | None
) -> Iterator[Statistics]:
    """The same where a mini-batch is one launch of a CUDA graph."""
    if not batches:
        return
    current = torch.empty_like(batches[0], device=images.device)
    statistics: Statistics = []

    def embed_current() -> None:
        statistics[:] = embed_mini_batch(encoder, images, current, micro_batch, out)

    run: Callable[[], None] = embed_current
    for number, rows in enumerate(batches):
        if len(rows) != len(current):
            current, run = torch.empty_like(rows, device=images.device), embed_current
        current.copy_(rows)
        if number == 1:  # the first one brought libraries to life, which a graph must not record
            run = recorded(embed_current)
        run()
        yield statistics


def _empty(encoder: Encoder, split: ImageSplit) -> EmbeddedSplit:
    x = torch.empty((len(split), encoder.embedding_dim), device=split.images.device, dtype=encoder.dtype)
    return EmbeddedSplit(x, split.labels, split.index)


def in_eval_mode(encoder: Encoder, split: ImageSplit, micro_batch: int, out: Tensor, threads: int) -> None:
    """Pass a split through an encoder in eval mode; its embeddings go to the rows of `out`."""

    @torch.inference_mode()
    def work(start: int) -> None:
        chunk = slice(start, start + micro_batch)
        out[chunk] = encoder(to_input(split.images[chunk]))

    for _ in in_order(work, range(0, len(split), micro_batch), threads if threads > 1 else 0, ahead=2 * threads):
        pass


class Rows(Protocol):
    """Where embeddings go: a tensor, or what takes its place where there is no room for one."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the embeddings."""
        ...

    def __setitem__(self, rows: Tensor, embeddings: Tensor, /) -> None:
        """Take the embeddings of these rows."""
        ...


def embed_mini_batch(encoder: Encoder, images: Images, rows: Tensor, micro_batch: int, out: Rows | None) -> Statistics:
    """Pass one mini-batch in train mode; its embeddings go to the rows of `out`, if given.

    Args:
        encoder: A `replica`.
        images: Of the training split.
        rows: (n,) of the mini-batch.
        micro_batch: Samples that pass at a time.
        out: Where embeddings go.

    Returns:
        The statistics, valid until the replica sees another mini-batch.
    """
    chunks = torch.split(rows, micro_batch)
    if len(chunks) > 1:
        _give_statistics(encoder, images, chunks)
    if len(chunks) == 1 or out is not None:
        for chunk in chunks:
            embedding = encoder(to_input(_chosen(images, chunk)))
            if out is not None:
                out[chunk] = embedding.to(out.dtype)
    for norm in encoder.norms():
        norm.forget()
    return _running(encoder)


def _chosen(images: Images, rows: Tensor) -> Tensor:
    """images[rows], which for a tensor takes torch ten times as long as this."""
    return images.index_select(0, rows) if isinstance(images, Tensor) else images[rows]


def _give_statistics(encoder: Encoder, images: Images, chunks: tuple[Tensor, ...]) -> None:
    """Tell every batch norm the statistics of the whole mini-batch, in the order in which data reach them."""
    for norm in encoder.norms():
        moments = _Moments()
        hook = norm.register_forward_pre_hook(moments)
        try:
            for chunk in chunks:
                with suppress(_ReachedError):
                    encoder(to_input(_chosen(images, chunk)))
        finally:
            hook.remove()
        moments.give(norm)


class _ReachedError(Exception):
    """The batch norm in question was reached: the rest of the pass is of no use."""


class _Moments:
    """Collects the mean and variance of what would enter a batch norm (Chan et al. 1979, merging two samples)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros(())

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        values = inputs[0]
        count = values.numel() // values.shape[1]
        mean, variance = (moment.double() for moment in activations.moments(values))
        if self.count == 0:
            self.count, self.mean, self.squares = count, mean, variance * count
        else:
            total = self.count + count
            delta = mean - self.mean
            self.squares = self.squares + variance * count + delta**2 * (self.count * count / total)
            self.mean = self.mean + delta * (count / total)
            self.count = total
        raise _ReachedError

    def give(self, norm: BatchNorm) -> None:
        norm.give(self.mean.float(), (self.squares / self.count).float(), self.count)
