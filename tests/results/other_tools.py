"""Other people's tools read our embeddings, and what is exported of them, with our values. `make other-tools`.

Not collected with the other tests: it needs the packages of other_tools.lock.
"""

import json

import numpy as np
import pytest

from nasd import export
from store.embeddings import Embedding, Split, stage

SPLITS = ("train", "val", "test")
ROWS = {"train": 150, "val": 20, "test": 41}


@pytest.fixture(scope="module", params=["float32", "float16"])
def embedding(request, tmp_path_factory):
    """Some hundred rows of three classes."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("embeddings")
    splits = {
        name: Split(
            random.normal(size=(rows, 33)).astype(request.param),
            np.arange(rows, dtype=np.int64) % 3,
            random.permutation(rows).astype(np.int64),
        )
        for name, rows in ROWS.items()
    }
    staged = stage(folder, splits, {"data": {"classes": ["a", "b", "c"]}, "reward": 0.5})
    return Embedding(staged.rename(folder / "e.zarr"))


@pytest.fixture(scope="module")
def parquet(embedding):
    export.parquet(embedding, folder := embedding.path.parent / "parquet")
    return folder


@pytest.fixture(scope="module")
def npz(embedding):
    export.npz(embedding, file := embedding.path.parent / "e.npz")
    return file


def same(embedding, split, x, y, index=None):
    ours = embedding.read(split)
    assert np.array_equal(np.asarray(x), ours.x)
    assert np.asarray(x).dtype == ours.x.dtype
    assert np.array_equal(np.asarray(y), ours.y)
    assert index is None or np.array_equal(np.asarray(index), ours.index)


@pytest.mark.parametrize("split", SPLITS)
def test_zarr(embedding, split):
    import zarr

    group = zarr.open_group(embedding.path, mode="r")[split]
    same(embedding, split, group["x"][:], group["y"][:], group["index"][:])
    assert group["x"].metadata.dimension_names == ("sample", "value")


@pytest.mark.parametrize("split", SPLITS)
def test_xarray(embedding, split):
    import xarray

    with xarray.open_zarr(embedding.path, group=split, consolidated=False) as data:
        assert dict(data.sizes) == {"sample": ROWS[split], "value": 33}
        same(embedding, split, data.x.values, data.y.values, data.index.values)
        assert data.x.dims == ("sample", "value")
    tree = xarray.open_datatree(embedding.path, engine="zarr", consolidated=False)
    same(embedding, split, tree[split].x.values, tree[split].y.values)
    assert tree.attrs["reward"] == 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_tensorstore(embedding, split):
    import tensorstore

    def read(part):
        path = str(embedding.path / split / part)
        opened = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}, read=True).result()
        assert opened.domain.labels[0] == "sample"
        return opened.read().result()

    same(embedding, split, read("x"), read("y"), read("index"))


@pytest.mark.parametrize("split", SPLITS)
def test_numpy(embedding, npz, split):
    with np.load(npz, allow_pickle=False) as arrays:
        same(embedding, split, arrays[f"x_{split}"], arrays[f"y_{split}"], arrays[f"index_{split}"])
        assert json.loads(str(arrays["attributes"]))["reward"] == 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_pandas(embedding, parquet, split):
    import pandas as pd

    frame = pd.read_parquet(parquet / f"{split}.parquet")
    same(embedding, split, np.stack(list(frame["x"])), frame["y"], frame["index"])


@pytest.mark.parametrize("split", SPLITS)
def test_polars(embedding, parquet, split):
    import polars as pl

    frame = pl.read_parquet(parquet / f"{split}.parquet")
    same(embedding, split, frame["x"].to_numpy(), frame["y"], frame["index"])


@pytest.mark.parametrize("split", SPLITS)
def test_pyarrow(embedding, parquet, split):
    from pyarrow import parquet as pq

    table = pq.read_table(parquet / f"{split}.parquet")
    x = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table["x"].chunks])
    same(embedding, split, x.reshape(len(table), -1), table["y"], table["index"])


@pytest.mark.parametrize("split", SPLITS)
def test_duckdb(embedding, parquet, split):
    import duckdb

    found = duckdb.sql(f"select x, y, index from '{parquet / f'{split}.parquet'}'").fetchnumpy()
    same(embedding, split, np.stack(list(found["x"])).astype(embedding.read(split).x.dtype), found["y"], found["index"])


@pytest.mark.parametrize("split", SPLITS)
def test_hugging_face_datasets(embedding, parquet, split, tmp_path):
    import datasets

    files = {name: str(parquet / f"{name}.parquet") for name in SPLITS}
    found = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))[split].with_format("numpy")
    same(embedding, split, np.asarray(found[:]["x"], embedding.read(split).x.dtype), found[:]["y"], found[:]["index"])


@pytest.mark.parametrize("split", SPLITS)
def test_torchvision(embedding, split, tmp_path):
    from torchvision.datasets import DatasetFolder

    export.npy_folder(embedding, tmp_path / "npy")
    found = DatasetFolder(tmp_path / "npy" / split, lambda path: np.load(path, allow_pickle=False), (".npy",))
    places = [int(path.rpartition("/")[2].partition(".")[0]) for path, _ in found.samples]
    ours = embedding.read(split)
    by_place = {place: row for row, place in enumerate(ours.index.tolist())}
    rows = [by_place[place] for place in places]
    assert sorted(rows) == list(range(ROWS[split]))
    assert np.array_equal(np.stack([sample for sample, _ in found]), ours.x[rows])
    assert np.array_equal(found.targets, ours.y[rows])


def test_scikit_learn(embedding, npz):
    """It takes the arrays as they are, and says of each row what it would say of ours."""
    from sklearn.neighbors import KNeighborsClassifier

    with np.load(npz, allow_pickle=False) as arrays:
        theirs = KNeighborsClassifier(1).fit(arrays["x_train"], arrays["y_train"])
        found = theirs.predict(arrays["x_train"])
    assert np.array_equal(found, embedding.read("train").y)
