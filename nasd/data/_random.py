"""Made-up images, for trying things out: nothing can be learned from them, and nothing has to be downloaded."""

from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.data._source import Description, Part, Raw

SIDE, CHANNELS, CLASSES = 32, 3, 10
TRAIN, TEST = 200, 20


class Random:
    """220 coloured images of 32x32, or of `image_size`, the same ones each time."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images."""
        return Description(SIDE, CHANNELS, CLASSES)

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Nothing to do."""

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """None: the images are drawn."""
        return ()

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Draw them; `root` is not looked at."""
        draw = np.random.Generator(np.random.PCG64(0))
        images = draw.integers(256, size=(TRAIN + TEST, CHANNELS, SIDE, SIDE), dtype=np.uint8)
        labels = np.arange(TRAIN + TEST) % CLASSES
        parts = [Part(images[rows], labels[rows]) for rows in (slice(None, TRAIN), slice(TRAIN, None))]
        return Raw(parts[0], parts[1], tuple(map(str, range(CLASSES))), ("random pixels",))
