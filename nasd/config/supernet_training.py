"""The section `evaluation` of kind `supernet`: how an epoch of shared weights is trained."""

from typing import Annotated, Literal

from pydantic import Field

from nasd.config.section import Count, NonNegative, OpenFraction, PositiveFloat, Section, Share


class SupernetTrainingConfig(Section):
    """An epoch of the supernet: every mini-batch another architecture (LightNAS; its numbers in the published presets).

    The section `training` counts for the derived architectures only, which jobs train from scratch.
    """

    kind: Literal["supernet"] = "supernet"
    batch_size: Annotated[Count, Field(ge=2)] = 128
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: PositiveFloat = 2e-3
    min_learning_rate: NonNegative = 1e-4  # at the end of the cosine over all epochs
    momentum: Share = 0.9  # of sgd
    weight_decay: NonNegative = 1e-4  # of weights that are never binary
    crop: Count = 0  # pixels of zeros around an image, out of which one of its size is cut
    mirror: bool = False  # half of the images, left to right
    controller_fraction: OpenFraction = 0.2  # of the training images: what the controller's rewards are measured on
    recalibration: Annotated[Count, Field(ge=2)] = 2000  # training images for the batch norms of a judged architecture
