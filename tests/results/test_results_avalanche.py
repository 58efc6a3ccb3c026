"""Avalanche reads embeddings bit-equal. Run by `make example-avalanche`, in the environment that has Avalanche."""

import numpy as np
import pytest
import torch
from torchvision.datasets import DatasetFolder

pytest.importorskip("avalanche", reason="Avalanche has an environment of its own: make example-avalanche")

import avalanche_class_incremental as example
from avalanche.benchmarks import class_incremental_benchmark
from avalanche.benchmarks.utils import as_classification_dataset

from nasd import export
from store.embeddings import Embedding, Split, stage

CLASSES, VALUES = 10, 7
ROWS = {"train": 500, "test": 130}


@pytest.fixture
def embedding(tmp_path):
    draw = np.random.default_rng(4)
    (tmp_path / "in").mkdir()
    splits = {
        name: Split(
            draw.normal(size=(rows, VALUES)).astype(np.float16),
            np.concatenate([np.arange(CLASSES), draw.integers(0, CLASSES, rows - CLASSES)]),
            draw.permutation(rows),
        )
        for name, rows in ROWS.items()
    }
    return Embedding(stage(tmp_path / "in", splits, {"data": {"classes": list("abcdefghij")}}))


def handed_out(stream):
    """All samples of a benchmark's stream, experience by experience: (rows as bytes, class)."""
    for experience in stream:
        yield [(row.numpy().tobytes(), int(target)) for row, target, *_ in experience.dataset]


def stored(embedding, name, dtype):
    split = embedding.read(name)
    return sorted((row.astype(dtype).tobytes(), int(y)) for row, y in zip(split.x, split.y, strict=True))


def in_five_experiences(benchmark, embedding, dtype):
    for name, stream in (("train", benchmark.train_stream), ("test", benchmark.test_stream)):
        experiences = list(handed_out(stream))
        assert [len({target for _, target in samples}) for samples in experiences] == [2] * 5
        assert sorted(sample for samples in experiences for sample in samples) == stored(embedding, name, dtype)


def test_the_example_s_data_set(embedding):
    parts = {name: example.dataset(embedding.path, name)[1] for name in ROWS}
    benchmark = class_incremental_benchmark(parts, num_experiences=5, seed=1)
    in_five_experiences(benchmark, embedding, np.float32)


def test_the_published_layout(embedding, tmp_path):
    export.npy_folder(embedding, tmp_path / "out")
    folders = {
        name: DatasetFolder(str(tmp_path / "out" / name), lambda path: torch.from_numpy(np.load(path)), (".npy",))
        for name in ROWS
    }
    parts = {name: as_classification_dataset(folder) for name, folder in folders.items()}
    in_five_experiences(class_incremental_benchmark(parts, num_experiences=5, seed=1), embedding, np.float16)
