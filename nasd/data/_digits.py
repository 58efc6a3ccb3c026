"""scikit-learn's digits, shipped with the package (see DIGITS.md): no download, seconds to search on."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.data._source import Description, Part, Raw

TRAIN = 1500  # the other 297, written last and by other people, are the test part


class Digits:
    """1,797 grey images of 8x8."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(8, 1, 10)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Nothing to do."""

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """None: the images are part of nasd."""
        return ()

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read the package's file; `root` is not looked at."""
        with files("nasd.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pixels, labels = arrays["images"], arrays["labels"]
        # 0 to 16 becomes 0 to 255, rounded, so that all data sets are stored alike
        images = ((pixels.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[:, None]
        parts = [Part(images[rows], labels[rows].astype(np.int64)) for rows in (slice(None, TRAIN), slice(TRAIN, None))]
        return Raw(parts[0], parts[1], tuple("0123456789"), ("pixels 0..16 scaled to 0..255",))
