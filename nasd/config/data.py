"""The section `data`: which images, and from where."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from nasd.config.section import BytesOrNone, OpenFraction, Positive, Section


class DataConfig(Section):
    """Which images, and from where."""

    name: Literal[
        "digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "image_folder", "codebrim", "image_csv"
    ] = "digits"
    root: Path | None = None  # None: $NASD_DATA, else the user's cache folder
    image_size: Positive | None = None  # resize to this; required by image_folder and image_csv
    validation_fraction: OpenFraction = 0.1
    train_samples: Positive | None = None  # use only the first N of the (shuffled) training split
    csv: str = "images.csv"  # of image_csv: the file in root
    augment: bool = True  # codebrim, image_csv: random crop and mirroring in training
    resident_limit: BytesOrNone = 4_000_000_000  # codebrim, image_csv: of decoded images in memory; 0: keep none

    @property
    def multi_label(self) -> bool:
        """Whether an image has several labels, or none, instead of one class."""
        return self.name in {"codebrim", "image_csv"}

    @model_validator(mode="after")
    def _image_folder_needs_a_size(self) -> Self:
        if self.name in {"image_folder", "image_csv"} and self.image_size is None:
            raise ValueError(f"{self.name} needs image_size: the side to which every image is scaled, such as 32")
        return self
