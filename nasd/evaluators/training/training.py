"""Full training: encoder and classifier together (DP-NAS's `--full-training`, arXiv 2104.06788, section 3.3; each
network of the search on CODEBRIM).

After each epoch a checkpoint is written. What happens in an epoch is a function of the seed, the epoch's number and
what the checkpoint holds, so that a training that was killed goes on bit for bit as if it had not been.

Where memory takes only a part of a mini-batch at a time (`micro_batch`), gradients are added up and one step is taken
for all of it: the same update up to rounding, except that batch norm takes the statistics of each part.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import msgspec
import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from nasd.config import Config, TrainingConfig
from nasd.data import Crops, Data, ImageSplit, Streamed, StreamedSplit, fetched
from nasd.evaluators.base import OnEpoch
from nasd.evaluators.clock import Clock
from nasd.evaluators.errors import EvaluationError, failed, is_out_of_memory
from nasd.evaluators.memory import available_bytes, fit_micro_batch
from nasd.evaluators.mini_batches import mini_batches, to_input
from nasd.evaluators.networks.build import Trainable, TrainableNetwork, network_of
from nasd.evaluators.networks.weights import Files, NoFiles, checkpoint_bytes, network_bytes, read_checkpoint, restore
from nasd.evaluators.objective import confusion, hits, label_scores, mean_label_accuracy, summed_loss
from nasd.evaluators.provenance import provenance
from nasd.evaluators.reward import recent_mean
from nasd.evaluators.seeding import generator
from nasd.evaluators.step_memory import state_bytes, step_bytes
from nasd.outcome import Evaluated, Labels, Outcome
from nasd.seeding import derive

CHECKPOINT, BEST, LAST = "checkpoint", "best", "last"


@dataclass
class _Course:
    """What was measured so far; goes into the checkpoint."""

    micro_batch: int
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)  # mean accuracy over the labels, where there are several
    confused: list[list[int]] = field(default_factory=list)  # of each label, in the last epoch's validation

    @property
    def epoch(self) -> int:
        return len(self.validation)


def train_fully(
    architecture: Trainable,
    data: Data | Streamed,
    config: Config,
    seed: int,
    device: torch.device | str,
    *,
    progress: OnEpoch | None = None,
    files: Files | None = None,
    memory_limit: int | None = None,
) -> Outcome:
    """Train a whole network.

    Args:
        architecture: What to train; made for images of `data`'s size.
        data: Copied to `device` unless it is there, or streamed: then images go there by mini-batches. `Crops` are cut
            anew for each epoch.
        config: Its `encoder` and `training` sections count.
        seed: Weights, shuffles, cuts and dropout each have a stream of their own.
        device: Such as `cpu` or `cuda:0`.
        progress: Told of stages and epochs. What it raises ends the training and is passed on.
        files: Takes the files `checkpoint`, from which an equal call goes on, `best` (the highest validation accuracy,
            the first of equals) and `last`, both as `nasd.load_model` reads them.
        memory_limit: Bytes that all of it may take; None: what is free.

    Returns:
        Evaluated (the test accuracy is that of the last weights), or Failed with a sentence.

    Raises:
        torch.AcceleratorError: The device is in a state that only a new process gets out of.
    """
    device = torch.device(device)
    clock = Clock(device)
    training = _Training(
        architecture, data.to(device), config, seed, device, progress, NoFiles() if files is None else files
    )
    outcome: Outcome
    try:
        with clock.stage("train"):
            outcome = training.run(memory_limit)
    except torch.AcceleratorError:
        raise
    except (EvaluationError, RuntimeError, MemoryError) as error:
        outcome = failed(error)
    return msgspec.structs.replace(outcome, measured=clock.measured())


def least_bytes(data: Data | Streamed, config: Config, architecture: Trainable) -> int:
    """What a training takes with as few images at a time as can be, in bytes; the data's images are not counted.

    Raises:
        EvaluationError: The architecture is not made for these images.
    """
    with torch.device("meta"):
        network = network_of(architecture, data.channels, config.encoder, config.training.dropout)
    return state_bytes(network) + step_bytes(network, data, _least_images(config))


def _least_images(config: Config) -> int:
    return 2 if config.encoder.batch_norm > 0 else 1  # one image may have no statistics


class _Training:
    def __init__(
        self,
        architecture: Trainable,
        data: Data | Streamed,
        config: Config,
        seed: int,
        device: torch.device,
        progress: OnEpoch | None,
        files: Files,
    ) -> None:
        self._architecture, self._data, self._config, self._seed = architecture, data, config, seed
        self._device, self._progress, self._files = device, progress, files
        self._least = _least_images(config)
        self._described = {
            "kind": "network",
            **provenance(architecture, data, config, seed, device),
            "training": config.training.model_dump(mode="json"),
        }

    def run(self, memory_limit: int | None) -> Evaluated:
        """Train, with half the images at a time where memory runs out in spite of the prediction."""
        self._tell("build", 0, 0)
        micro_batch = self._fit(memory_limit)
        while True:
            try:
                return self._train(micro_batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or micro_batch // 2 < self._least:
                    raise
            micro_batch //= 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _fit(self, memory_limit: int | None) -> int:
        network, data = self._network("meta"), self._data
        resident, available = state_bytes(network), available_bytes(self._device, data, memory_limit)
        largest, least = min(self._config.training.batch_size, len(data.train)), self._least
        return max(
            fit_micro_batch(lambda n: resident + step_bytes(network, data, max(n, least)), largest, available), least
        )

    def _network(self, device: torch.device | str) -> TrainableNetwork:
        config = self._config
        with torch.device("meta"):
            network = network_of(self._architecture, self._data.channels, config.encoder, config.training.dropout)
        if str(device) != "meta":
            network.to_empty(device=device)
            network.initialise(self._seed)
        return network

    def _train(self, micro_batch: int) -> Evaluated:
        config = self._config.training
        network = self._network(self._device)
        optimiser = _optimiser(network, config)
        course = self._resume(network, optimiser, micro_batch)
        self._tell("train", course.epoch, config.epochs)
        while course.epoch < config.epochs and not _stopped(course, config):
            self._epoch(network, optimiser, course)
            if course.validation[-1] > max(course.validation[:-1], default=-1.0):
                self._files.write(BEST, self._weights(network, course))
            described = {**self._described, **dataclasses.asdict(course)}
            self._files.write(CHECKPOINT, checkpoint_bytes(network, optimiser, described))
            self._tell("train", course.epoch, config.epochs, course.train[-1], course.validation[-1])
        self._files.write(LAST, self._weights(network, course))
        stopped = _stopped(course, config)
        tested, confused = (None, []) if stopped else self._measure(network, self._data.test, course.micro_batch)
        return Evaluated(
            reward=recent_mean(course.validation),
            validation_accuracies=tuple(course.validation),
            train_accuracies=tuple(course.train),
            test_accuracy=tested,
            early_stopped=stopped,
            embedding_dim=self._architecture.embedding_dim,
            micro_batch=course.micro_batch,
            labels=self._labels(course, confused) if course.labels else None,
        )

    def _labels(self, course: _Course, tested: list[list[int]]) -> Labels:
        data = self._data
        return Labels(
            validation_accuracies=tuple(course.labels),
            test_accuracy=mean_label_accuracy(tested, len(data.test)) if tested else None,
            validation=label_scores(data.classes, course.confused, len(data.validation)),
            test=label_scores(data.classes, tested, len(data.test)) if tested else (),
        )

    def _resume(self, network: TrainableNetwork, optimiser: Optimizer, micro_batch: int) -> _Course:
        content = self._files.read(CHECKPOINT)
        found = None if content is None else read_checkpoint(content)
        if found is None or any(found[0].get(name) != value for name, value in self._described.items()):
            return _Course(micro_batch)
        described, tensors = found
        restore(network, optimiser, tensors)
        # More would be possible where memory was short then, but would not be the same training.
        reached = {part: described[part] for part in ("train", "validation", "labels", "confused") if part in described}
        return _Course(min(micro_batch, described["micro_batch"]), **reached)

    def _epoch(self, network: TrainableNetwork, optimiser: Optimizer, course: _Course) -> None:
        config, epoch = self._config.training, course.epoch
        network.dropout.stream = generator(self._seed, f"dropout of epoch {epoch}")
        batches = mini_batches(len(self._data.train), config.batch_size, derive(self._seed, f"epoch {epoch}"))
        plan = [_parts(rows, course.micro_batch, self._least) for rows in batches]
        images = self._data.train.images
        if isinstance(images, Crops):
            images = images.drawn(generator(self._seed, f"cuts of epoch {epoch}"))
        coming = fetched(images, chain.from_iterable(plan))
        scheduler = _scheduler(optimiser, config)
        seen = torch.zeros(2, device=self._device, dtype=torch.float64)  # the loss and the hits
        network.train()
        tf32 = self._config.encoder.precision in ("tf32", "bfloat16")
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32):  # of the backward pass too
            for number, parts in enumerate(plan):
                if scheduler is not None:
                    scheduler.step(epoch + number / len(plan))
                seen += self._step(network, optimiser, parts, coming)
        loss, right = seen.tolist()
        if not math.isfinite(loss):
            raise EvaluationError(f"The training diverged in epoch {epoch + 1}: its loss overflows float32.")
        accuracy, confused = self._measure(network, self._data.validation, course.micro_batch)
        course.train.append(int(right) / len(self._data.train))
        course.validation.append(accuracy)
        if confused:
            course.labels.append(mean_label_accuracy(confused, len(self._data.validation)))
            course.confused = confused

    def _step(
        self, network: TrainableNetwork, optimiser: Optimizer, parts: tuple[Tensor, ...], images: Iterator[Tensor]
    ) -> Tensor:
        """One update with a mini-batch, whose parts come next; returns its loss and its hits before the update."""
        seen = torch.zeros(2, device=self._device, dtype=torch.float64)
        samples = sum(map(len, parts))
        optimiser.zero_grad(set_to_none=True)
        for part in parts:
            labels = self._data.train.labels[part.to(self._device)]
            logits = network(to_input(next(images).to(self._device)))
            loss = summed_loss(logits, labels) / samples
            loss.backward()  # type: ignore[no-untyped-call]
            seen += torch.stack([loss.detach().double(), hits(logits.detach(), labels).double()])
        optimiser.step()
        return seen

    @torch.no_grad()
    def _measure(
        self, network: TrainableNetwork, split: ImageSplit | StreamedSplit, micro_batch: int
    ) -> tuple[float, list[list[int]]]:
        """The accuracy, and of several labels each one's `confusion`."""
        network.eval()
        right = torch.zeros((), device=self._device, dtype=torch.int64)
        confused: Tensor | None = None
        plan = torch.tensor_split(torch.arange(len(split)), list(range(micro_batch, len(split), micro_batch)))
        for rows, images in zip(plan, fetched(split.images, plan), strict=True):
            labels = split.labels[rows.to(self._device)]
            logits = network(to_input(images.to(self._device)))
            right += hits(logits, labels)
            counted = confusion(logits, labels)
            confused = counted if confused is None else confused + counted
        return int(right) / len(split), [] if confused is None else confused.tolist()

    def _weights(self, network: TrainableNetwork, course: _Course) -> bytes:
        at = {"epoch": course.epoch, "validation_accuracy": course.validation[-1], "micro_batch": course.micro_batch}
        return network_bytes(network, {**self._described, **at})

    def _tell(
        self, stage: str, epoch: int, epochs: int, train: float | None = None, validation: float | None = None
    ) -> None:
        if self._progress is not None:
            self._progress(stage, epoch, epochs, train, validation)


def _optimiser(network: TrainableNetwork, config: TrainingConfig) -> Optimizer:
    parameters = network.parameters()
    if config.optimizer == "sgd":
        return SGD(parameters, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay)
    return Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def _scheduler(optimiser: Optimizer, config: TrainingConfig) -> CosineAnnealingWarmRestarts | None:
    """Made anew each epoch: where it stands is a function of the epoch that it is told."""
    if config.warm_restart_epochs is None:
        return None
    for group in optimiser.param_groups:
        group["initial_lr"] = config.learning_rate
        group["lr"] = config.learning_rate
    return CosineAnnealingWarmRestarts(
        optimiser,
        T_0=config.warm_restart_epochs,
        T_mult=config.warm_restart_factor,
        eta_min=config.min_learning_rate,
    )


def _parts(rows: Tensor, micro_batch: int, least: int) -> tuple[Tensor, ...]:
    """As few parts of about equal size as fit, none of less than `least` rows."""
    return torch.tensor_split(rows, min(-(-len(rows) // micro_batch), len(rows) // least))


def _stopped(course: _Course, config: TrainingConfig) -> bool:
    """Whether the early stop struck at the epoch that was reached."""
    at = config.early_stopping_epoch
    return course.epoch == at and recent_mean(course.validation) < config.early_stopping_thresh
