"""What comes out of one evaluation. Shared by the evaluator, the strategies and the daemon; imports nothing heavy."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation cost. Differs from run to run; everything else in an outcome does not."""

    seconds: float = 0.0
    encode_seconds: float = 0.0
    train_seconds: float = 0.0
    peak_memory: int = 0  # bytes, as the device reports it; 0 where it cannot tell
    device: str = "cpu"


class LabelScore(msgspec.Struct, frozen=True, kw_only=True):
    """How one of several labels per image is told. Fractions; None where there is nothing to be a fraction of: no image
    has the label, or none was said to have it.
    """

    label: str
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What besides is measured on a data set of several labels per image, whose accuracy is that of all labels of an
    image together.
    """

    validation_accuracies: tuple[float, ...]  # mean over the labels, one per epoch
    test_accuracy: float | None  # mean over the labels
    validation: tuple[LabelScore, ...]  # after the last epoch
    test: tuple[LabelScore, ...] = ()  # none where the early stop struck


class Judged(msgspec.Struct, frozen=True):
    """An architecture and its validation accuracy."""

    net: str
    accuracy: float


class SupernetEpoch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What besides is measured in an epoch of a supernet, and where its controller stands after it."""

    net: str  # the architecture of the most probable choices; the epoch's reward is its validation accuracy
    steps: int  # of the shared weights
    controller_steps: int
    loss: float  # mean cross-entropy of the training steps
    mean_accuracy: float  # of the architectures that the controller's steps sampled, each on a mini-batch
    mean_reward: float  # of the same; 0 where there was no step
    baseline: float | None  # of REINFORCE; None before the first reward
    entropy: float  # of the controller's choices, in nats, mean over the units
    probabilities: tuple[tuple[float, ...], ...]  # of each unit's choices, given the most probable ones before it
    judged: tuple[Judged, ...] = ()  # of the last epoch: the best derived architectures, all with its shared weights


class RungScores(msgspec.Struct, frozen=True, kw_only=True):
    """What the looks at the first images said, before all of them were encoded."""

    scores: tuple[float, ...]  # accuracy at each rung that was reached
    images: tuple[int, ...] = ()  # of these rungs; earlier versions did not say, nor could rungs change
    splits: tuple[int, ...] = ()  # images that train, validate and test; earlier versions did not say
    cut: bool = False  # the last one ended the evaluation: its reward is an estimate from that score


class Evaluated(msgspec.Struct, frozen=True, kw_only=True, tag="evaluated"):
    """A finished evaluation. Accuracies are fractions in [0, 1], one per epoch; of several labels per image, an image
    counts as right if all of them are.
    """

    reward: float  # mean of the last five validation accuracies
    validation_accuracies: tuple[float, ...]
    train_accuracies: tuple[float, ...]
    test_accuracy: float | None  # None where the early stop struck
    early_stopped: bool
    embedding_dim: int
    micro_batch: int  # samples per pass; the mini-batch unless memory asked for less
    screening: float | None = None  # accuracy of the quick look, where there was one; alone, if it was the end
    rungs: RungScores | None = None  # where `evaluation.rungs` asks for them
    labels: Labels | None = None  # of a data set of several labels per image
    supernet: SupernetEpoch | None = None  # of an epoch of a supernet
    measured: Measured = Measured()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """An architecture that could not be evaluated, and why, in one sentence."""

    reason: str
    measured: Measured = Measured()


Outcome = Evaluated | Failed


def entropy(probabilities: Iterable[float]) -> float:
    """Of a choice, in nats."""
    return -math.fsum(share * math.log(share) for share in probabilities if share > 0)


def encode_outcome(outcome: Outcome) -> str:
    """As JSON, for the checkpoint."""
    return msgspec.json.encode(outcome).decode()


def decode_outcome(text: str) -> Outcome:
    """Raises msgspec.DecodeError."""
    outcome: Outcome = msgspec.json.decode(text, type=Outcome)
    return outcome


def to_metrics(outcome: Evaluated) -> dict[str, Any] | None:
    """What is stored of an outcome besides its accuracies, as plain JSON values; None if there is nothing."""
    metrics: dict[str, Any] = msgspec.to_builtins(outcome.labels) if outcome.labels else {}
    if outcome.screening is not None:
        metrics["screening"] = outcome.screening
    if outcome.rungs is not None:
        metrics["rungs"] = msgspec.to_builtins(outcome.rungs)
    if outcome.supernet is not None:
        metrics["supernet"] = msgspec.to_builtins(outcome.supernet)
    return metrics or None


def rungs_in(metrics: Mapping[str, Any] | None) -> RungScores | None:
    """What `to_metrics` made of the looks at the first images. Raises msgspec.ValidationError."""
    return msgspec.convert(metrics["rungs"], RungScores) if metrics and "rungs" in metrics else None


def epoch_in(metrics: dict[str, Any] | None) -> SupernetEpoch | None:
    """What `to_metrics` made of a supernet's epoch. Raises msgspec.ValidationError."""
    return msgspec.convert(metrics["supernet"], SupernetEpoch) if metrics and "supernet" in metrics else None


def labels_in(metrics: dict[str, Any] | None) -> Labels | None:
    """What `to_metrics` made of the labels. Raises msgspec.ValidationError."""
    return msgspec.convert(metrics, Labels) if metrics and "validation" in metrics else None
