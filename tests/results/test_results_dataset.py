"""Embeddings as a map-style data set."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from store import EmbeddingError
from store.embeddings import EmbeddingDataset, Split, layout, stage

ROWS, VALUES = 1000, 6


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * VALUES * 4 * 2)  # eight shards
    y = np.random.default_rng(1).integers(0, 4, ROWS)
    x = np.arange(ROWS * VALUES, dtype=np.float32).reshape(ROWS, VALUES)
    splits = {"train": Split(x, y, np.arange(ROWS)), "test": Split(x[:70], y[:70], np.arange(70))}
    return stage(tmp_path, splits, {"data": {"classes": ["a", "b", "c", "d"]}})


def test_every_row_with_its_class(path):
    data = EmbeddingDataset(path, "train")
    assert len(data) == ROWS
    assert data.classes == ["a", "b", "c", "d"]
    assert data.targets == sorted(data.targets)
    for row in (0, 63, 64, 500, 999, -1):
        x, y = data[row]
        assert np.array_equal(x, data.index[row] * VALUES + np.arange(VALUES))
        assert y == data.targets[row]
    for row in (ROWS, -ROWS - 1):
        with pytest.raises(IndexError):
            data[row]
    assert len(EmbeddingDataset(path, "test")) == 70


def test_what_a_caller_does_to_a_row_stays_with_the_caller(path):
    data = EmbeddingDataset(path)
    data[3][0][:] = -1
    assert data[3][0].min() >= 0


def test_all_of_it_as_tensors_and_arrays(path):
    data = EmbeddingDataset(path, transform=torch.from_numpy)
    x, y = data.tensors()
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.stack([data[row][0] for row in range(ROWS)]))
    assert y.tolist() == data.targets
    assert np.array_equal(data.arrays()[0], x.numpy())


@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (2, "spawn")])
def test_a_data_loader_with_workers(path, workers, start):
    if workers and not os.access("/dev/shm", os.W_OK):
        pytest.skip("its workers need a /dev/shm that can be written to")
    data = EmbeddingDataset(path)
    assert data[0][1] == 0  # zarr has run in this process before the workers are forked
    loader = DataLoader(
        data, batch_size=32, sampler=data.shuffled(1), num_workers=workers, multiprocessing_context=start
    )
    for _ in range(1 if start == "spawn" else 2):
        seen = []
        for x, y in loader:
            assert x.shape[1] == VALUES
            seen += list(zip(x[:, 0].tolist(), y.tolist(), strict=True))
        assert sorted(seen) == sorted((float(i * VALUES), t) for i, t in zip(data.index, data.targets, strict=True))


def test_shuffled_reads_each_chunk_once_and_mixes_the_classes(path, monkeypatch):
    data = EmbeddingDataset(path, memory=4 * 64 * (VALUES * 4 + 16))  # four chunks of sixteen
    read = []
    real = data._embedding.rows
    monkeypatch.setattr(data._embedding, "rows", lambda *of: read.append(of[1]) or real(*of))
    sampler = data.shuffled(5)
    first = list(sampler)
    assert sorted(first) == list(range(ROWS))
    assert list(sampler) != first
    assert list(data.shuffled(5)) == first
    assert list(data.shuffled(6)) != first
    assert len(sampler) == ROWS
    for row in first:
        data[row]
    assert len(read) == 16
    halves = np.array_split([data.targets[row] for row in first], 2)
    assert all(len(set(half.tolist())) >= 3 for half in halves)


def test_spawned_workers_get_no_rows(path):
    data = EmbeddingDataset(path)
    before = len(pickle.dumps(data))
    for row in range(ROWS):
        data[row]
    assert len(pickle.dumps(data)) == before


def test_a_missing_or_damaged_part_is_said(path):
    (path / "train/x/c/3/0").unlink()
    data = EmbeddingDataset(path)
    assert data[0]
    with pytest.raises(EmbeddingError, match="is missing"):
        data[3 * 128 + 5]
    with pytest.raises(EmbeddingError, match="no split"):
        EmbeddingDataset(path, "validation")
    with pytest.raises(EmbeddingError, match="no embedding"):
        EmbeddingDataset(path / "nothing")


def test_it_needs_neither_torch_nor_the_daemon(path):
    script = (
        "import sys; from store.embeddings import EmbeddingDataset; "
        f"d = EmbeddingDataset({str(path)!r}); assert len(d[3][0]) == {VALUES}; d.arrays(); "
        "assert not {'torch', 'nasd', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
