"""A data set of one's own: stripes that run down, across, or slanted. Nothing is read; the images are drawn."""

from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.data import Description, Part, Raw

SIDE = 12
CLASSES = ("down", "across", "slanted")


class Stripes:
    """What nasd asks of a data set (`nasd.data.Source`)."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images; nothing is read for it."""
        return Description(image_size=SIDE, channels=1, num_classes=len(CLASSES))

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Here a data set checks that its files are in `root`, and downloads what is missing."""

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """The files that `read` reads: while they stay as they are, so does the data set's fingerprint."""
        return ()

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Images (N, C, H, W) uint8 and labels (N,) int64, in an order that is always the same."""
        return Raw(train=_draw(240, seed=1), test=_draw(60, seed=2), classes=CLASSES)


def _draw(count: int, seed: int) -> Part:
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = np.stack([columns, rows, rows + columns])[labels]
    bright = (along + random.integers(0, 4, (count, 1, 1))) % 4 < 2
    noise = random.integers(0, 60, bright.shape)
    return Part(images=(bright * 180 + noise).astype(np.uint8)[:, None], labels=labels)
