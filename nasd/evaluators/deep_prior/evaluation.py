"""One evaluation: an architecture in, its metrics out."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
import torch

from nasd.config import Config
from nasd.data import Data
from nasd.evaluators.base import OnEpoch
from nasd.evaluators.clock import Clock
from nasd.evaluators.deep_prior.embed import embed
from nasd.evaluators.deep_prior.embedding import EmbeddedData, EmbeddedSplit
from nasd.evaluators.deep_prior.looks import CutError, Looks, looking_bytes
from nasd.evaluators.deep_prior.probe import Trained, train_classifier
from nasd.evaluators.deep_prior.ridge import ridge_accuracies
from nasd.evaluators.errors import EvaluationError, failed, is_out_of_memory
from nasd.evaluators.memory import available_bytes, fit_micro_batch, pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Buildable, Encoder
from nasd.evaluators.orders import Rung
from nasd.evaluators.provenance import provenance
from nasd.evaluators.seeding import generator
from nasd.evaluators.threads import threads_on
from nasd.outcome import Evaluated, Outcome


def evaluate(
    architecture: Buildable,
    data: Data,
    config: Config,
    seed: int,
    device: torch.device | str,
    *,
    progress: OnEpoch | None = None,
    on_embedding: Callable[[EmbeddedData], None] | None = None,
    memory_limit: int | None = None,
    screen_floor: float | None = None,
    rungs: Sequence[Rung] = (),
) -> Outcome:
    """Evaluate one architecture as a deep prior: random encoder, trained linear classifier (arXiv 2104.06788).

    With the same arguments the outcome is the same bit for bit, apart from `measured`, with any number of threads. One
    exception: where memory made it split the mini-batches (`micro_batch` below the configured batch size), embeddings
    differ in their last bits from those of an unsplit pass.

    Args:
        architecture: What to evaluate; made for images of `data`'s size.
        data: Resident on `device` already where many evaluations follow each other, else it is copied there.
        config: Its `encoder` and `training` sections count.
        seed: The trial's (`trial_seed`). Weights, pass order, classifier and shuffles each have a stream of their own.
        device: Such as `cpu` or `cuda:0`.
        progress: Told of stages and epochs. What it raises ends the evaluation and is passed on.
        on_embedding: Given the finished embedding, still on the device, with the outcome among its attributes. Called
            only for evaluated architectures.
        screen_floor: Where `training.screen` asks for a quick look: the accuracy of it below which that is all, and the
            reward; None: the evaluation goes on in any case.
        rungs: Looks after the first images of the training split, ascending; below the floor of one the evaluation
            ends with an estimate of the reward.
        memory_limit: Bytes that images, embeddings, weights and activations may take together; None: what is free.

    Returns:
        Evaluated, or Failed with a sentence: not supported, does not fit in memory, overflows, or torch's own words.

    Raises:
        torch.AcceleratorError: The device is in a state that only a new process gets out of.
    """
    device = torch.device(device)
    clock = Clock(device)
    tell = progress or _silent
    try:
        with torch.accelerator.device_index(device.index):  # a CUDA graph records what the current GPU does
            outcome, splits = _deep_prior(
                architecture, data.to(device), config, seed, device, tell, memory_limit, screen_floor, rungs, clock
            )
    except torch.AcceleratorError:
        raise
    except CutError as cut:
        return msgspec.structs.replace(cut.outcome, measured=clock.measured())
    except (EvaluationError, RuntimeError, MemoryError) as error:
        return msgspec.structs.replace(failed(error), measured=clock.measured())
    outcome = msgspec.structs.replace(outcome, measured=clock.measured())
    if on_embedding is not None:
        on_embedding(EmbeddedData(*splits, attributes=_attributes(architecture, data, config, seed, outcome)))
    return outcome


def _deep_prior(
    architecture: Buildable,
    data: Data,
    config: Config,
    seed: int,
    device: torch.device,
    progress: OnEpoch,
    memory_limit: int | None,
    screen_floor: float | None,
    rungs: Sequence[Rung],
    clock: Clock,
) -> tuple[Evaluated, tuple[EmbeddedSplit, EmbeddedSplit, EmbeddedSplit]]:
    progress("build", 0, 0, None, None)
    threads = threads_on(device)
    looking = looking_bytes(data, architecture.embedding_dim, config, rungs)
    encoder, micro_batch, passes = _build(architecture, data, config, seed, device, memory_limit, threads, looking)

    progress("encode", 0, 0, None, None)
    looks = Looks(rungs, architecture, data, micro_batch)
    with clock.stage("encode"):
        splits, micro_batch = _embed_halving(encoder, data, config, seed, micro_batch, passes, looks)
    del encoder  # its memory is the classifier's now

    epochs = config.training.epochs
    progress("train", 0, epochs, None, None)
    score = None
    with clock.stage("train"):
        if (screen := config.training.screen) is not None:
            fitted, score = ridge_accuracies(*splits[:2], data.num_classes, screen.samples, seed)
            if screen_floor is not None and score < screen_floor:
                return _evaluated(architecture, Trained((fitted,), (score,), None), micro_batch, looks, score), splits
        trained = train_classifier(
            *splits,
            data.num_classes,
            config.training,
            seed,
            lambda epoch, train, validation: progress("train", epoch, epochs, train, validation),
        )
    return _evaluated(architecture, trained, micro_batch, looks, score), splits


def _evaluated(
    architecture: Buildable, trained: Trained, micro_batch: int, looks: Looks, screening: float | None
) -> Evaluated:
    return Evaluated(
        reward=trained.reward,
        validation_accuracies=trained.validation_accuracies,
        train_accuracies=trained.train_accuracies,
        test_accuracy=trained.test_accuracy,
        early_stopped=trained.test_accuracy is None,
        embedding_dim=architecture.embedding_dim,
        micro_batch=micro_batch,
        screening=screening,
        rungs=looks.taken() if looks.scores else None,
    )


def _build(
    architecture: Buildable,
    data: Data,
    config: Config,
    seed: int,
    device: torch.device,
    memory_limit: int | None,
    threads: int = 1,
    looking: int = 0,
) -> tuple[Encoder, int, int]:
    """The initialised encoder, how many samples may pass it at a time, and on how many threads at the same time.

    No memory is touched before it suffices. Where it does not, threads are given up before mini-batches are split.
    """
    with torch.device("meta"):
        encoder = Encoder(architecture, data.channels, config.encoder)
    resident = resident_bytes(encoder, data, config)
    available = available_bytes(device, data, memory_limit)
    taken = cache(lambda samples: pass_bytes(encoder, data, samples, device))
    whole = min(config.training.batch_size, len(data.train))
    passes = max(1, min(threads, (available - resident) // taken(whole)))
    if resident + looking > available:
        raise EvaluationError(
            f"It does not fit in memory: evaluation.rungs or training.screen looks at so many images that it needs "
            f"{resident + looking:,} bytes, {max(available, 0):,} are available."
        )
    micro_batch = fit_micro_batch(lambda samples: resident + taken(samples), whole, available)
    encoder.to_empty(device=device)
    encoder.initialise(generator(seed, "weights"))
    return encoder, micro_batch, passes


def _embed_halving(
    encoder: Encoder, data: Data, config: Config, seed: int, micro_batch: int, passes: int, looks: Looks
) -> tuple[tuple[EmbeddedSplit, EmbeddedSplit, EmbeddedSplit], int]:
    """Embed; where memory runs out in spite of the prediction, again on one thread, then with half the samples."""
    while True:
        try:
            return embed(encoder, data, config, seed, micro_batch, passes, looks.begin(micro_batch)), micro_batch
        except (RuntimeError, MemoryError) as error:
            if (micro_batch == 1 and passes == 1) or not is_out_of_memory(error):
                raise
        if passes > 1:
            passes = 1
        else:
            micro_batch //= 2
        if data.train.images.is_cuda:
            torch.cuda.empty_cache()


def _silent(
    stage: str, epoch: int, epochs: int, train_accuracy: float | None, validation_accuracy: float | None
) -> None:
    pass


def _attributes(architecture: Buildable, data: Data, config: Config, seed: int, outcome: Evaluated) -> dict[str, Any]:
    return {
        **provenance(architecture, data, config, seed, outcome.measured.device),
        "batch_size": config.training.batch_size,
        "micro_batch": outcome.micro_batch,
        "embedding_dim": outcome.embedding_dim,
        "dtype": "float32",
        "reward": outcome.reward,
        "validation_accuracy": outcome.validation_accuracies[-1],
        "test_accuracy": outcome.test_accuracy,
    }
