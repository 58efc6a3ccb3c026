"""One epoch of a supernet (LightNAS): every mini-batch trains another architecture, which the controller draws; every
few mini-batches the controller learns from the accuracy and latency of some (REINFORCE).

Unlike LightNAS: the controller's rewards are measured on images of their own, with the statistics of their mini-batch;
architectures for a step of the controller are drawn after its last step; one that is judged gets batch norms of its
own. All that happens is a function of the order: its seed, its epoch, and the file of the epoch before.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer

from nasd.config import EnasConfig, SupernetTrainingConfig
from nasd.data import Data, ImageSplit
from nasd.evaluators.base import Report, Step
from nasd.evaluators.bench import Bench
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.mini_batches import mini_batches, to_input
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.orders import Supernet as Order
from nasd.evaluators.seeding import generator
from nasd.evaluators.supernet import state
from nasd.evaluators.supernet.controller import Controller, Sampled
from nasd.evaluators.supernet.images import divide, varied
from nasd.evaluators.supernet.judging import accuracy, precision, recalibrate
from nasd.evaluators.supernet.reinforce import Baseline, reward
from nasd.evaluators.supernet.state import Learner
from nasd.outcome import Evaluated, Judged, SupernetEpoch, entropy
from nasd.seeding import derive
from nasd.spaces.supernet import Supernet, SupernetSpace

REPORTS = 20  # about so many steps of an epoch are reported


class Epoch:
    """Trains, judges, and writes the file; made anew for each epoch.

    Args:
        bench: Of a config with the strategy `enas` and the evaluation `supernet`, and data in memory.
        order: Which epoch.
        micro_batch: Images that pass the network at a time.
        report: Told of steps.

    Raises:
        EvaluationError: The file of the epoch before cannot be used.
    """

    def __init__(self, bench: Bench, order: Order, micro_batch: int, report: Report) -> None:
        self.search = EnasConfig.of(bench.config.search)
        training = bench.config.evaluation
        assert isinstance(training, SupernetTrainingConfig)
        assert isinstance(bench.data, Data)
        self.training, self.data, self.order = training, bench.data, order
        self.space: SupernetSpace = bench.space
        self.report, self.micro_batch, self.device = report, micro_batch, bench.device
        config, seed = bench.config, order.seed
        with torch.device("meta"):
            network = SupernetNetwork(self.space.config, config.encoder)
        self.network = network.to_empty(device=self.device)
        self.controller = Controller([len(choices) for choices in self.space.choices], self.search.controller)
        self.autocast = precision(self.device, config.encoder)
        self.parts = divide(self.data.train, training.controller_fraction, config.seed)
        self.learners = {
            "network": Learner(self.network, _optimiser(self.network, training)),
            "controller": Learner(
                self.controller, Adam(self.controller.parameters(), lr=self.search.controller.learning_rate)
            ),
        }
        self.baseline = Baseline(self.search.controller.baseline_decay)
        self.derived: dict[str, float] = {}  # each architecture's best accuracy; in the order in which they reached it
        self.choosing = generator(seed, "choices")
        if order.begin is None:
            self.network.initialise(seed)
            self.controller.initialise(generator(seed, "controller"))
        else:
            head = state.read(Path(order.begin), self.learners, order.epoch - 1)
            self.baseline.value, self.derived = head["baseline"], dict(head.get("derived", ()))

    def run(self) -> Evaluated:
        """Train for an epoch, and judge the architecture that is the most probable then.

        Raises:
            EvaluationError: The training diverged, or rewards overflow.
        """
        batches = mini_batches(len(self.parts.weights), self.training.batch_size, derive(self.order.seed, "order"))
        seen = torch.zeros(2, device=self.device, dtype=torch.float64)  # the loss and the hits
        rewards, accuracies = list[float](), list[float]()
        coming: Iterator[tuple[int, ...]] = iter(())
        steps, every = len(batches), self.search.controller.every
        learning = self.order.epoch > self.search.controller.warm_up_epochs
        shuffled, varying = self._controller_batches(), generator(self.order.seed, "variations")
        self._tell("train", 0, steps)
        for number, rows in enumerate(batches):
            if number % every == 0:  # nothing is learned by the controller until these are used up
                with torch.no_grad():
                    coming = iter(self.controller.sample(every, self.choosing).numbers)
            self._schedule(number, steps)
            seen += self._step(rows, self.space.make(next(coming)).choices, varying)
            if learning and (number + 1) % every == 0:
                measured = self._controller_step(shuffled)
                accuracies += [accuracy for accuracy, _ in measured]
                rewards += [reward for _, reward in measured]
            if (number + 1) % max(1, steps // REPORTS) == 0 or number + 1 == steps:
                train = float(seen[1]) / self._samples(batches[: number + 1])
                self._tell("train", number + 1, steps, train=train, facts=self._standing(rewards))
        loss, right = seen.tolist()
        if not math.isfinite(loss):
            raise EvaluationError(f"The supernet diverged in epoch {self.order.epoch}: its loss overflows float32.")
        return self._judged(steps, loss / steps, int(right) / self._samples(batches), accuracies, rewards)

    def write(self, path: Path) -> None:
        """Write the file that the next epoch begins with. Raises OSError."""
        head = {
            "base": self.space.config.base,
            "baseline": self.baseline.value,
            "derived": list(self.derived.items()),
        }
        state.write(path, self.learners, self.order.epoch, head)

    # --- the shared weights -------------------------------------------------------------------------------------

    def _step(self, rows: Tensor, choices: tuple[str, ...], varying: torch.Generator) -> Tensor:
        """One update of the weights of an architecture; returns its loss and its hits before the update."""
        split, training, seen = self.parts.weights, self.training, torch.zeros(2, device=self.device).double()
        optimiser = self.learners["network"].optimiser
        optimiser.zero_grad(set_to_none=True)
        self.network.train()
        for part in _parts(rows, self.micro_batch):
            of_part = split.take(part.to(self.device))
            images = varied(of_part.images, training.crop, training.mirror, varying)
            with self.autocast:
                logits = self.network(to_input(images), choices)
            loss = functional.cross_entropy(logits.float(), of_part.labels, reduction="sum") / len(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            hits = (logits.argmax(dim=1) == of_part.labels).sum()
            seen += torch.stack([loss.detach().double(), hits.double()])
        optimiser.step()
        return seen

    def _schedule(self, number: int, steps: int) -> None:
        """A cosine over all steps of the search."""
        training = self.training
        done = ((self.order.epoch - 1) * steps + number) / (self.search.epochs * steps)
        low = min(training.min_learning_rate, training.learning_rate)
        rate = low + (training.learning_rate - low) * (1 + math.cos(math.pi * done)) / 2
        for group in self.learners["network"].optimiser.param_groups:
            group["lr"] = rate

    # --- the controller -----------------------------------------------------------------------------------------

    def _controller_step(self, batches: Iterator[ImageSplit]) -> list[tuple[float, float]]:
        """One step of REINFORCE; returns accuracy and reward of each architecture that was drawn for it."""
        config, measured = self.search.controller, list[tuple[float, float]]()
        sampled = self.controller.sample(config.samples, self.choosing)
        for numbers in sampled.numbers:
            architecture = self.space.make(numbers)
            found = self._accuracy_on(next(batches), architecture.choices)
            latency, average = self.space.latency(architecture), self.space.average_latency
            measured.append((found, reward(found, latency, average, self.search.latency_exponent)))
        if not all(math.isfinite(reward) for _, reward in measured):
            raise EvaluationError(
                "The controller's rewards overflow: search.latency_exponent is too large for these latencies."
            )
        advantages = torch.tensor([self.baseline.advantage(reward) for _, reward in measured])
        loss = -(advantages * sampled.log_probabilities).sum() / config.samples
        loss = loss - config.entropy_weight * sampled.entropies.mean()
        optimiser = self.learners["controller"].optimiser
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return measured

    @torch.no_grad()
    def _accuracy_on(self, batch: ImageSplit, choices: tuple[str, ...]) -> float:
        """Of one mini-batch, by its own statistics: the averages are a mixture over architectures."""
        self.network.train()
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for part in _parts(torch.arange(len(batch)), self.micro_batch):
            of_part = batch.take(part.to(self.device))
            with self.autocast:
                logits = self.network(to_input(of_part.images), choices)
            right += (logits.argmax(dim=1) == of_part.labels).sum()
        return int(right) / len(batch)

    def _controller_batches(self) -> Iterator[ImageSplit]:
        """The controller's images by mini-batches, shuffled anew whenever they are used up."""
        split, size, turn = self.parts.controller, self.training.batch_size, 0
        while True:
            for rows in mini_batches(len(split), size, derive(self.order.seed, f"controller's order {turn}")):
                yield split.take(rows.to(self.device))
            turn += 1

    # --- what comes of it ---------------------------------------------------------------------------------------

    def _judged(
        self, steps: int, loss: float, train: float, accuracies: list[float], rewards: list[float]
    ) -> Evaluated:
        self._tell("judge", 0, 0)
        derived = self.controller.most_probable()
        architecture = self.space.make(derived.numbers[0])
        net, last = str(architecture), self.search.derive > 0 and self.order.epoch == self.search.epochs
        judged = self._judge_again(net) if last else {}
        validation = self._judge(architecture)  # the last one: its batch norms are those of the file
        if validation > self.derived.get(net, -1.0):
            self.derived.pop(net, None)
            self.derived[net] = validation
        if last:
            judged[net] = validation
        self._tell("judge", 1, 1, train, validation)
        count = self.search.controller.samples
        return Evaluated(
            reward=validation,
            validation_accuracies=(validation,),
            train_accuracies=(train,),
            test_accuracy=None,  # touched by the derived architectures alone, at the end
            early_stopped=False,
            embedding_dim=self.network.features,
            micro_batch=self.micro_batch,
            supernet=SupernetEpoch(
                net=net,
                steps=steps,
                controller_steps=len(rewards) // count,
                loss=loss,
                mean_accuracy=_mean(accuracies),
                mean_reward=_mean(rewards),
                baseline=self.baseline.value,
                entropy=float(derived.entropies[0]),
                probabilities=_shares(derived),
                judged=tuple(Judged(net, found) for net, found in judged.items()),
            ),
        )

    def _judge(self, architecture: Supernet) -> float:
        """Its validation accuracy with shared weights."""
        images = self.parts.weights.images[: self.training.recalibration]
        with self.autocast:
            recalibrate(self.network, architecture.choices, images, self.micro_batch)
            return accuracy(self.network, architecture.choices, self.data.validation, self.micro_batch)

    def _judge_again(self, newest: str) -> dict[str, float]:
        """The best derived architectures of the epochs before, by today's weights: else later ones were better off."""
        best = sorted(self.derived, key=lambda net: -self.derived[net])[: self.search.derive]
        return {net: self._judge(self.space.parse(net)) for net in best if net != newest}

    def _standing(self, rewards: list[float]) -> dict[str, Any]:
        """What is shown of an epoch under way (`nasd.protocol.enas.Standing`)."""
        derived, config = self.controller.most_probable(), self.search.controller
        units = zip(self.space.skeleton.units, _shares(derived), strict=True)
        return {
            "reward": _mean(rewards[-config.samples :]) if rewards else None,
            "baseline": self.baseline.value,
            "entropy": float(derived.entropies[0]),
            "units": [
                {"label": one.label, "choices": one.choices, "probabilities": shares, "entropy": entropy(shares)}
                for one, shares in units
            ],
        }

    def _tell(
        self,
        stage: str,
        epoch: int,
        epochs: int,
        train: float | None = None,
        validation: float | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.report(
            Step(
                stage=stage,
                epoch=epoch,
                epochs=epochs,
                train_accuracy=train,
                validation_accuracy=validation,
                facts=facts or {},
            )
        )

    @staticmethod
    def _samples(batches: tuple[Tensor, ...]) -> int:
        return sum(map(len, batches))


def _optimiser(network: SupernetNetwork, training: SupernetTrainingConfig) -> Optimizer:
    """Weights of which signs are taken do not decay: only their signs count."""
    binary = {id(weight) for weight in network.binary_weights()}
    groups = [
        {"params": [p for p in network.parameters() if id(p) in binary], "weight_decay": 0.0},
        {"params": [p for p in network.parameters() if id(p) not in binary], "weight_decay": training.weight_decay},
    ]
    if training.optimizer == "sgd":
        return SGD(groups, lr=training.learning_rate, momentum=training.momentum)
    return Adam(groups, lr=training.learning_rate)


def _parts(rows: Tensor, micro_batch: int) -> tuple[Tensor, ...]:
    """As few parts of about equal size as fit, none of a single row unless there is no other."""
    return torch.tensor_split(rows, max(1, min(-(-len(rows) // micro_batch), len(rows) // 2)))


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _shares(derived: Sampled) -> tuple[tuple[float, ...], ...]:
    """The probabilities along the way of the most probable choices."""
    return tuple(tuple(share[0].tolist()) for share in derived.probabilities)
