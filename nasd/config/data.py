"""The section `data`: which images, and from where."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Self

from pydantic import field_validator, model_validator

from nasd.config.section import BytesOrNone, OpenFraction, Positive, Section

DATA_SETS = (
    "digits", "mnist", "fashion_mnist", "kmnist", "emnist_byclass", "emnist_bymerge", "emnist_balanced",
    "emnist_letters", "emnist_digits", "emnist_mnist", "cifar10", "cifar100", "svhn", "stl10", "image_folder", "arrays",
    "parquet", "random", "codebrim", "image_csv",
)  # fmt: skip
ENTRY_POINTS = "nasd.datasets"
"""The group in which other packages name theirs."""
_SCALED = ("image_folder", "image_csv", "parquet")


def data_sets() -> tuple[str, ...]:
    """The names that a config may have: ours, and those of the packages that are installed."""
    return (*DATA_SETS, *sorted(entry_points(group=ENTRY_POINTS).names))


class DataConfig(Section):
    """Which images, and from where."""

    name: str = "digits"  # one of DATA_SETS, or of another package (entry point group nasd.datasets)
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

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATA_SETS and name not in (known := data_sets()):
            raise ValueError(f"there is no data set {name!r}; there are {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _image_folder_needs_a_size(self) -> Self:
        if self.name in _SCALED and self.image_size is None:
            raise ValueError(f"{self.name} needs image_size: the side to which every image is scaled, such as 32")
        return self
