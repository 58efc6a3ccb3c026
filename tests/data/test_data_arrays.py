"""Arrays and parquet files, as Keras, MedMNIST and the hub leave them on disks."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from nasd.config import DataConfig
from nasd.data import describe, fingerprint, load
from nasd.errors import DataMissingError

# --- arrays -------------------------------------------------------------------------------------------------------


def keras(x, y, rows=40):
    random = np.random.default_rng(0)
    return {name: of(random, rows) for name, of in (("x_train", x), ("y_train", y), ("x_test", x), ("y_test", y))}


def grey(random, rows):
    return random.integers(0, 256, (rows, 9, 9), dtype=np.uint8)


def numbers(random, rows):
    return random.integers(0, 3, rows)


def arrays(root):
    return load(DataConfig(name="arrays", root=root), 1)


def test_one_npz_as_keras_has_it(tmp_path):
    np.savez_compressed(tmp_path / "mnist.npz", **(made := keras(grey, numbers)))
    found = arrays(tmp_path)
    assert np.array_equal(found.test.images[:, 0], made["x_test"])
    assert np.array_equal(found.test.labels, made["y_test"])
    assert describe(DataConfig(name="arrays", root=tmp_path)) == (9, 1, 3)
    before = fingerprint(DataConfig(name="arrays", root=tmp_path))
    (tmp_path / "mnist.npz").unlink()
    for name, array in made.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert fingerprint(DataConfig(name="arrays", root=tmp_path)) == before


def test_medmnists_names_its_validation_part_and_its_column_of_labels(tmp_path):
    random = np.random.default_rng(0)
    made = {
        f"{part}_images": random.integers(0, 256, (20, 9, 9, 3), dtype=np.uint8) for part in ("train", "val", "test")
    }
    labels = {f"{part}_labels": np.arange(20)[:, None] % 4 for part in ("train", "val", "test")}
    np.savez(tmp_path / "pathmnist.npz", **made, **labels)
    found = arrays(tmp_path)
    assert (len(found.train), len(found.validation), len(found.test)) == (20, 20, 20)
    assert np.array_equal(found.validation.images, made["val_images"].transpose(0, 3, 1, 2))


def test_a_pair_of_files_and_names_for_classes(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(50 * 16, dtype=np.uint16).reshape(50, 1, 4, 4) * 80)
    np.save(tmp_path / "y.npy", np.array(["cat", "ant"] * 25))
    found = arrays(tmp_path)
    assert (len(found.train) + len(found.validation), len(found.test), found.classes) == (45, 5, ("ant", "cat"))
    assert torch.equal(found.test.images, arrays(tmp_path).test.images)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.uint8([[0, 7], [9, 255]]), [[0, 7], [9, 255]]),
        (np.uint16([[0, 255], [256, 65535]]), [[0, 0], [1, 255]]),
        (np.float32([[0, 0.5], [0.25, 1]]), [[0, 128], [64, 255]]),
        (np.float16([[0, 0.5], [0.25, 1]]), [[0, 128], [64, 255]]),
        (np.array([[True, False], [False, True]]), [[255, 0], [0, 255]]),
    ],
)
def test_dtypes_of_arrays(tmp_path, values, expected):
    repeated = np.repeat(values[None], 30, axis=0)
    np.savez(tmp_path / "x.npz", **keras(lambda _random, _rows: repeated, lambda _random, _rows: np.arange(30) % 2))
    assert np.array_equal(arrays(tmp_path).test.images[0, 0], expected)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((40, 9, 9), np.int64)}, "dtype int64"),
        ({"x_train": np.full((40, 9, 9), 255.0)}, "floats from 255 to 255, and 0 to 1"),
        ({"x_train": np.full((40, 9, 9), np.nan)}, "floats from nan"),
        ({"x_train": np.zeros((40, 9, 8), np.uint8)}, "9x8, not square"),
        ({"x_train": np.zeros((40, 81), np.uint8)}, r"\(40, 81\), not \(N, H, W\)"),
        ({"x_train": np.zeros((40, 3, 5, 3), np.uint8)}, "not"),
        ({"x_train": np.zeros((39, 9, 9), np.uint8)}, "39 images, y_train 40 labels"),
        ({"x_test": np.zeros((40, 8, 8), np.uint8)}, "different shapes"),
        ({"y_train": np.full(40, -1)}, "labels from -1"),
        ({"y_train": np.zeros((40, 3))}, r"\(40, 3\) and the dtype float64"),
        ({"classes": np.array(["a"])}, "not 0 to 0"),
        ({"x_train": np.zeros(2, object)}, "no plain arrays"),
    ],
)
def test_faults_of_arrays_name_file_and_array(tmp_path, changes, said):
    np.savez(tmp_path / "mine.npz", **{**keras(grey, numbers), **changes})
    with pytest.raises(DataMissingError, match=said) as error:
        arrays(tmp_path)
    assert "mine.npz" in str(error.value)


def test_arrays_that_are_not_there(tmp_path):
    with pytest.raises(DataMissingError, match=r"neither an \.npz nor \.npy"):
        arrays(tmp_path)
    np.savez(tmp_path / "a.npz", x_train=np.zeros(1))
    with pytest.raises(DataMissingError, match="no array y_train or train_labels; there are x_train"):
        arrays(tmp_path)
    (tmp_path / "b.npz").write_bytes(b"PK\3\4 broken")
    with pytest.raises(DataMissingError, match=r"2 \.npz files"):
        arrays(tmp_path)
    (tmp_path / "a.npz").unlink()
    with pytest.raises(DataMissingError, match=r"b\.npz is damaged"):
        arrays(tmp_path)


# --- parquet ------------------------------------------------------------------------------------------------------


def png(value):
    Image.new("RGB", (10, 8), (value, 0, 0)).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def write_parquet(path, labels, *, image="image", plain=False, names=None):
    import pyarrow as pa
    from pyarrow import parquet

    images = [png(10 * n) if plain else {"bytes": png(10 * n), "path": f"{n}.png"} for n in range(len(labels))]
    table = pa.table({image: images, "label": labels})
    if names:
        features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def parquet(root):
    return load(DataConfig(name="parquet", root=root, image_size=8), 1)


def test_parquet_as_the_hub_has_it(tmp_path):
    for number in (0, 1):
        write_parquet(tmp_path / f"data/train-0000{number}-of-00002.parquet", [0, 1] * 5, names=["cat", "dog"])
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", [1, 0, 1], names=["cat", "dog"])
    found = parquet(tmp_path)
    assert found.classes == ("cat", "dog")
    assert found.test.images[:, 0, 4, 4].tolist() == [0, 10, 20]
    assert found.test.labels.tolist() == [1, 0, 1]
    assert len(found.train) + len(found.validation) == 20
    assert fingerprint(DataConfig(name="parquet", root=tmp_path, image_size=8)).count == 2


@pytest.mark.parametrize("plain", [False, True])
def test_parquet_of_ones_own(tmp_path, plain):
    for part in ("train", "test", "val"):
        write_parquet(tmp_path / f"{part}.parquet", ["dog", "cat"] * 3, image="img", plain=plain)
    found = parquet(tmp_path)
    assert (found.classes, len(found.validation)) == (("cat", "dog"), 6)
    assert found.test.labels.tolist() == [1, 0] * 3


def test_faults_of_parquet(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet as pq

    with pytest.raises(DataMissingError, match=r"no train\*\.parquet"):
        parquet(tmp_path)
    write_parquet(tmp_path / "train.parquet", [0, 1] * 3)
    write_parquet(tmp_path / "test.parquet", [0, -1])
    with pytest.raises(DataMissingError, match=r"test\.parquet: row 1 has the label -1"):
        parquet(tmp_path)
    pq.write_table(pa.table({"image": [b"no image"], "label": [0]}), tmp_path / "test.parquet")
    with pytest.raises(DataMissingError, match=r"test\.parquet, row 0 is damaged: it is no image"):
        parquet(tmp_path)
    pq.write_table(pa.table({"picture": [b"x"]}), tmp_path / "test.parquet")
    with pytest.raises(DataMissingError, match="its columns are picture"):
        parquet(tmp_path)
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataMissingError, match=r"test\.parquet is damaged"):
        parquet(tmp_path)
