"""The architectures and the data that the benchmarks of the evaluator share."""

import os
from pathlib import Path

from nasd.config import DataConfig, LayersConfig
from nasd.data import Data, load
from nasd.spaces.layers import Architecture, SearchSpace

FASHION_MNIST = Path(__file__).parents[2] / "shared" / "data"

# A and B are those of docs/accuracy.md. All fit images of 28 pixels a side, or are scaled to them.
ARCHITECTURES = {
    "tiny": "[C(16,3,1,1,1), P(2,2,0,0), C(16,3,1,1,1), P(2,2,0,0), C(16,3,1,1,1), P(2,2,0,0), SM(10)]",
    "A": "[C(32,5,1,2,1), P(4,4,0,0), C(32,3,1,1,0), C(256,1,1,0,1), C(128,3,1,0,1), SM(10)]",
    "B": "[C(64,3,1,1,1), P(2,2,0,0), C(64,3,1,1,1), P(2,2,0,0), C(128,3,1,1,1), SM(10)]",
    "wide": "[C(64,3,1,1,1), P(4,4,0,0), C(512,3,1,1,1), C(256,3,1,1,1), SM(10)]",
    "deep": "[C(32,3,1,1,1), P(2,2,0,0), C(32,3,1,1,1), C(32,1,1,0,1), C(32,3,1,1,1), C(32,1,1,0,1), "
    "C(32,3,1,1,1), C(32,1,1,0,1), C(32,3,1,1,1), P(2,2,0,0), C(64,3,1,1,1), C(64,1,1,0,1), SM(10)]",
    "large kernels": "[C(32,11,1,0,1), C(32,9,1,0,1), C(64,7,1,3,1), P(2,2,0,0), SM(10)]",
    "wrn": "[C(16,3,1,1,1), P(2,2,0,0), C(32,3,1,1,0), C(32,3,1,1,0), P(2,2,0,0), C(64,3,1,1,0), SM(10)]",
    "20,000 values": "[C(32,3,1,1,1), P(2,2,0,0), C(64,3,1,1,1), P(2,2,0,0), C(400,3,1,1,1), SM(10)]",
}

# Half of those that a search of `configs/dp-nas.yaml` evaluates take more operations: 4.0 GFLOP an image (`nasd plan`).
MEDIAN = (
    "[C(32,11,1,5,1), C(512,7,1,3,1), C(64,3,1,0,1), P(2,2,0,0), C(32,1,1,0,1), C(16,7,1,0,1), C(128,3,1,1,1), "
    "C(1024,3,1,1,0), C(512,5,1,2,1), C(32,3,1,1,1), C(64,3,1,1,1), C(32,3,1,1,1), SM(10)]"
)


def load_data(root: Path | None = None, samples: int | None = None) -> Data:
    """FashionMNIST from `root`, NASD_DATA or beside the repository; else digits, scaled to the same size."""
    root = root or Path(os.environ.get("NASD_DATA", FASHION_MNIST))
    if (root / "FashionMNIST").is_dir():
        return load(DataConfig(name="fashion_mnist", root=root, train_samples=samples), 1)
    return load(DataConfig(name="digits", image_size=28, train_samples=samples), 1)


def parse(name: str, data: Data) -> Architecture:
    """One of `ARCHITECTURES`, or `median`."""
    return SearchSpace(LayersConfig(patch_size=data.image_size)).parse((ARCHITECTURES | {"median": MEDIAN})[name])
