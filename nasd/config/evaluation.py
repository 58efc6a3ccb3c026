"""The sections `evaluation`, `encoder` and `training`: how an architecture becomes a reward."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nasd.config.section import Count, Fraction, NonNegative, Positive, PositiveFloat, Rate, Section, Share
from nasd.config.supernet_training import SupernetTrainingConfig
from nasd.config.unions import by


class RungsConfig(Section):
    """Looks at an architecture after its first training images: only the best go on (arXiv 1603.06560)."""

    images: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1000, 4000)  # of the training split, ascending
    keep: Annotated[tuple[Rate, ...], Field(min_length=1)] = (0.33, 0.5)  # shares of the scores at each rung so far
    after: Positive = 20  # trials that reach a rung before any is stopped there

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.images) != len(self.keep):
            raise ValueError(f"images names {len(self.images)} rungs, keep {len(self.keep)}: give each rung both")
        if any(later <= earlier for earlier, later in pairwise(self.images)):
            raise ValueError(f"images must ascend, each rung takes more than the one before: {list(self.images)}")
        return self


class DeepPriorConfig(Section):
    """The encoder keeps its random weights, a linear classifier is trained behind it (arXiv 2104.06788)."""

    kind: Literal["deep_prior"] = "deep_prior"
    rungs: RungsConfig | None = None  # None: every architecture is encoded whole


class FullTrainingConfig(Section):
    """The whole network is trained."""

    kind: Literal["training"] = "training"


AnyEvaluation = Annotated[
    Annotated[DeepPriorConfig, Tag("deep_prior")]
    | Annotated[FullTrainingConfig, Tag("training")]
    | Annotated[SupernetTrainingConfig, Tag("supernet")],
    Discriminator(by("kind", default="deep_prior")),
]


class FftConfig(Section):
    """Where convolution by Fourier transform is faster: up to the next larger kernel, and the next larger image."""

    kernel: Positive  # side of the window
    side: Positive  # of the image
    channels: Positive  # from so many on


class EncoderConfig(Section):
    """How the network in front of the classifier is built."""

    init: Literal["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "orthogonal"] = (
        "kaiming-normal"
    )
    batch_norm: NonNegative = 1e-4  # epsilon; 0 means no batch normalisation
    batch_norm_statistics: Literal["batch", "population"] = "batch"
    # tf32: on GPUs that have it, else float32. None: settled when a run is created, until then float32.
    precision: Literal["float32", "tf32", "bfloat16"] | None = None
    # Of untrained chains of layers. fft: by Fourier transform. measured: by the faster of the two, as a table says
    # that is settled when a run is created.
    convolution: Literal["direct", "fft", "measured"] | tuple[FftConfig, ...] = "direct"


class ScreenConfig(Section):
    """A quick look at each embedding, after which only the best of them are evaluated fully."""

    probe: Literal["ridge"] = "ridge"
    keep: Rate = 0.3  # share of the quick scores so far
    after: Positive = 20  # trials that are evaluated fully in any case
    samples: Positive = 8192  # training images that the quick look takes


class TrainingConfig(Section):
    """How the classifier is trained, or the whole network; the last six count only for the latter."""

    epochs: Positive = 70
    batch_size: Annotated[Count, Field(ge=2)] = 128
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegative = 0.0
    early_stopping_epoch: Positive = 10
    early_stopping_thresh: Fraction = 0.15
    screen: ScreenConfig | None = None  # None: every trial is evaluated fully
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: Share = 0.9  # of sgd
    warm_restart_epochs: Positive | None = None  # of the first cosine cycle; None: the learning rate is constant
    warm_restart_factor: Positive = 2  # by which each cycle is longer than the one before
    min_learning_rate: NonNegative = 1e-5  # at the end of a cycle
    dropout: Share = 0.0  # before the last layer
