"""Data sets as their authors, torchvision, Keras and the hub leave them on disks."""

import contextlib
import gzip
import io
import json
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nasd.config import DataConfig
from nasd.data import describe, fingerprint, load
from nasd.data._matlab import MatError
from nasd.data._matlab import read as read_mat
from nasd.data._unpickle import UnpickleError, loads
from nasd.errors import DataMissingError, NasdError
from tests.data.test_data import cifar10_files, idx

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nasd-stripes"


def old_pickle(value):
    """Protocol 2 with Python 2's strings and numpy's old names, as the authors of CIFAR wrote it with Python 2.7."""
    content = pickle.dumps(value, 2)
    return content.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")


def write_cifar10(root):
    """The Python version, of the same images as the binary one in `cifar10_files`."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in cifar10_files():
        if name.endswith(".bin"):
            rows = np.frombuffer(content, np.uint8).reshape(-1, 3073)
            batch = {
                b"batch_label": b"batch", b"labels": rows[:, 0].tolist(), b"data": rows[:, 1:].copy(),
                b"filenames": [f"{n}.png".encode() for n in range(len(rows))],
            }  # fmt: skip
            (folder / name.removesuffix(".bin")).write_bytes(old_pickle(batch))
        else:
            meta = {b"num_cases_per_batch": 20, b"label_names": [name.encode() for name in content.decode().split()]}
            (folder / "batches.meta").write_bytes(old_pickle(meta))
    return folder


@pytest.fixture
def python(tmp_path):
    (tmp_path / "python").mkdir()
    return write_cifar10(tmp_path / "python")


def cifar10(root):
    return load(DataConfig(name="cifar10", root=root), 1)


def test_cifars_python_version_is_the_binary_one(python, tmp_path):
    folder = tmp_path / "binary" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, content in cifar10_files():
        (folder / name).write_bytes(content)
    ours, theirs = cifar10(folder.parent), cifar10(python.parent)
    assert torch.equal(ours.train.images, theirs.train.images)
    assert torch.equal(ours.test.labels, theirs.test.labels)
    assert ours.classes == theirs.classes == tuple("abcdefghij")
    configs = [DataConfig(name="cifar10", root=root) for root in (folder.parent, python.parent)]
    assert fingerprint(configs[0]) == fingerprint(configs[1])
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(python, "cifar-10-batches-py")
    assert torch.equal(cifar10(tmp_path).train.images, ours.train.images)


def test_a_pickle_of_python_2_itself():
    """Written with Python 2.7's cPickle, protocol 2, and numpy 1.16: strings are bytes, of the old instructions."""
    array = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\n"
        b"q\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x02K\x03\x86"
    )
    dtype = b"cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = (
        b"\x80\x02}q\x00(U\x04dataq\x06"
        + array[2:]
        + dtype
        + b"\x89U\x06\x00\x01\x02\xfd\xfe\xfftbU\x06labelsq\x07]q\x08(K\x06K\x09eu."
    )
    found = loads(content)
    assert found["labels"] == [6, 9]
    assert np.array_equal(found["data"], np.array([[0, 1, 2], [253, 254, 255]]))


def test_cifar100s_python_version_takes_the_fine_label(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    data = np.random.default_rng(0).integers(0, 256, (30, 3072), dtype=np.uint8)
    for name in ("train", "test"):
        batch = {"data": data, "fine_labels": [*range(70, 100)], "coarse_labels": [7] * 30}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"class{n}" for n in range(100)]}))
    found = load(DataConfig(name="cifar100", root=tmp_path), 1)
    assert found.test.labels.tolist() == list(range(70, 100))
    assert np.array_equal(found.test.images.numpy().reshape(30, -1), data)


class Hostile:
    def __init__(self, call, *arguments):
        self.made = call, arguments

    def __reduce__(self):
        return self.made


HOSTILE = {
    "posix.system": Hostile(os.system, "touch /tmp/nasd-was-here"),
    "builtins.eval": Hostile(eval, "1"),
    "subprocess.Popen": Hostile(subprocess.Popen, ["true"]),
    "builtins.getattr": Hostile(getattr, "x", "y"),
    "dtype": np.zeros(2, object),
    "numpy": np.array(["text"]),
    "collections.OrderedDict": __import__("collections").OrderedDict(a=1),
}


@pytest.mark.parametrize("named", HOSTILE)
@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_batch_is_refused_by_name(python, named, protocol):
    (python / "data_batch_3").write_bytes(pickle.dumps({"labels": [1], "data": HOSTILE[named]}, protocol))
    with pytest.raises(
        DataMissingError, match=r"cifar-10-batches-py is damaged: data_batch_3 holds .*not read"
    ) as error:
        cifar10(python.parent)
    if protocol >= 3 and "." in named:  # below, the names are those of Python 2
        assert named in str(error.value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_dict(content):
    for beginning in (b"", b"\x80\x02}", b"\x80\x02}(U\x04data"):
        with contextlib.suppress(UnpickleError):
            assert isinstance(loads(beginning + content), dict)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_broken_pickle_is_refused_or_plain(data):
    content = bytearray(old_pickle({"labels": [1, 2], "data": np.zeros((2, 3), np.uint8)}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnpickleError):
        assert isinstance(loads(bytes(content)), dict)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [10] * 20}, "labels that are not 0 to 9"),
        ({"labels": [1] * 19}, "no label for each image"),
        ({"labels": None}, "no label for each image"),
        ({"data": np.zeros((20, 3071), np.uint8)}, "no images of 3072"),
        ({"data": np.zeros((20, 3072), np.float32)}, "no images of 3072"),
        ({"data": [1]}, "no images of 3072"),
    ],
)
def test_a_batch_that_is_something_else(python, change, said):
    batch = {"labels": [1] * 20, "data": np.zeros((20, 3072), np.uint8), **change}
    (python / "test_batch").write_bytes(pickle.dumps(batch))
    with pytest.raises(DataMissingError, match=said):
        cifar10(python.parent)


def test_pickletools_knows_every_instruction_that_is_read():
    """`loads` goes by the names of the standard library's list."""
    assert {"STACK_GLOBAL", "SHORT_BINSTRING", "BINBYTES8", "REDUCE"} <= {code.name for code in pickletools.opcodes}


# --- IDX ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folder", "split", "classes", "first"),
    [
        ("kmnist", "KMNIST", None, 10, 0),
        ("emnist_balanced", "EMNIST", "balanced", 47, 0),
        ("emnist_byclass", "EMNIST", "byclass", 62, 0),
        ("emnist_letters", "EMNIST", "letters", 26, 1),
    ],
)
@pytest.mark.parametrize("where", ["raw", "raw/gzip"])
def test_kmnist_and_emnist_as_torchvision_reads_them(tmp_path, name, folder, split, classes, first, where):
    from torchvision import datasets

    random = np.random.default_rng(0)
    raw = tmp_path / folder / ("raw" if split is None else where)
    raw.mkdir(parents=True)
    for part in ("train", "t10k") if split is None else ("train", "test"):
        stem = part if split is None else f"emnist-{split}-{part}"
        images = random.integers(0, 256, (130, 28, 28), dtype=np.uint8)
        labels = (np.arange(130) % classes + first).astype(np.uint8)
        for what, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            (raw / f"{stem}-{what}.gz").write_bytes(gzip.compress(idx(array)))
            if where == "raw":
                (raw / f"{stem}-{what}").write_bytes(idx(array))
    found = load(DataConfig(name=name, root=tmp_path), 1)
    assert describe(DataConfig(name=name, root=tmp_path)) == (28, 1, classes)
    if where == "raw":
        kind = datasets.KMNIST if split is None else datasets.EMNIST
        theirs = kind(tmp_path, train=False, **({} if split is None else {"split": split}))
        assert torch.equal(found.test.images[:, 0], theirs.data)
        assert torch.equal(found.test.labels + first, theirs.targets)
        names = theirs.classes[first:] if split else found.classes
        assert [name.lower() for name in names] == [name.lower() for name in found.classes]


def test_emnist_that_is_not_there(tmp_path):
    with pytest.raises(DataMissingError, match=r"EMNIST/raw lacks emnist-digits-train-images-idx3-ubyte.*nist\.gov"):
        load(DataConfig(name="emnist_digits", root=tmp_path), 1)


# --- SVHN, STL-10 -------------------------------------------------------------------------------------------------


def mat(arrays, order="<", compressed=True):
    """A MAT-file of level 5."""

    def element(kind, body):
        return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)

    content = b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    for name, array in arrays.items():
        kind, stored = {"u1": (9, 2), "f8": (6, 9)}[array.dtype.str[1:]]
        body = (
            element(6, struct.pack(f"{order}II", kind, 0))
            + element(5, np.array(array.shape, f"{order}i4").tobytes())
            + (struct.pack(f"{order}HH", 1, len(name))[::1] if order == ">" else struct.pack("<HH", 1, len(name)))
            + name.encode().ljust(4, b"\0")
            + element(stored, array.astype(array.dtype.newbyteorder(order)).tobytes(order="F"))
        )
        if order == ">":  # in a small element the size comes first
            at = len(element(6, bytes(8))) + len(element(5, bytes(4 * array.ndim)))
            body = body[:at] + struct.pack(">HH", len(name), 1) + body[at + 4 :]
        whole = element(14, body)
        packed = zlib.compress(whole)
        content += struct.pack(f"{order}II", 15, len(packed)) + packed if compressed else whole
    return content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
def test_svhn(tmp_path, order, compressed):
    x = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 40), dtype=np.uint8)
    y = (np.arange(40, dtype=np.float64) % 10 + 1)[:, None]
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / name).write_bytes(mat({"X": x, "y": y}, order, compressed))
    found = load(DataConfig(name="svhn", root=tmp_path), 1)
    assert np.array_equal(found.test.images.numpy(), x.transpose(3, 2, 0, 1))
    assert found.test.labels.tolist() == [label % 10 for label in range(1, 41)]
    (tmp_path / "test_32x32.mat").write_bytes(mat({"X": x, "y": y}, order, compressed)[:-3000])
    with pytest.raises(DataMissingError, match=r"test_32x32\.mat is damaged"):
        load(DataConfig(name="svhn", root=tmp_path), 1)
    (tmp_path / "test_32x32.mat").write_bytes(mat({"X": x, "y": y + 1}, order, compressed))
    with pytest.raises(DataMissingError, match="no label from 1 to 10"):
        load(DataConfig(name="svhn", root=tmp_path), 1)
    (tmp_path / "test_32x32.mat").unlink()
    with pytest.raises(DataMissingError, match=r"lacks test_32x32\.mat.*housenumbers"):
        load(DataConfig(name="svhn", root=tmp_path), 1)


def test_mat_files_as_scipy_writes_them(tmp_path):
    """Where scipy happens to be installed."""
    savemat = pytest.importorskip("scipy.io").savemat
    arrays = {"X": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "labels": np.arange(5.0), "text": "no numbers"}
    for compressed in (False, True):
        savemat(tmp_path / "x.mat", arrays, do_compression=compressed)
        found = read_mat(tmp_path / "x.mat")
        assert set(found) == {"X", "labels"}
        assert np.array_equal(found["X"], arrays["X"])
        assert np.array_equal(found["labels"].ravel(), arrays["labels"])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_broken_mat_file_is_refused_or_numbers(tmp_path_factory, data):
    content = bytearray(mat({"X": np.zeros((2, 3), np.uint8)}, compressed=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(100, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken.mat"
    path.write_bytes(content)
    with contextlib.suppress(MatError):
        assert all(array.dtype.kind in "iuf" for array in read_mat(path).values())


def test_a_mat_file_that_unpacks_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("nasd.data._matlab.MAX_BYTES", 1000)
    (tmp_path / "x.mat").write_bytes(mat({"X": np.zeros((100, 100), np.uint8)}))
    with pytest.raises(MatError, match="more than 1,000 bytes"):
        read_mat(tmp_path / "x.mat")


def test_stl10_as_torchvision_reads_it(tmp_path):
    from torchvision.datasets import STL10

    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(random.bytes(20 * 3 * 96 * 96))
        (folder / f"{part}_y.bin").write_bytes(bytes(n % 10 + 1 for n in range(20)))
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    found = load(DataConfig(name="stl10", root=tmp_path), 1)
    theirs = STL10.__new__(STL10)  # without the check of the real files' sums
    theirs.root = str(tmp_path)
    images, labels = theirs._STL10__loadfile("test_X.bin", "test_y.bin")
    assert np.array_equal(found.test.images.numpy(), images)
    assert np.array_equal(found.test.labels.numpy(), labels)
    (folder / "train_y.bin").write_bytes(bytes(20))
    with pytest.raises(DataMissingError, match=r"train_y\.bin is damaged"):
        load(DataConfig(name="stl10", root=tmp_path), 1)


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


# --- other packages -----------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example's package, as an installer would leave it."""

    def install(source, value="nasd_stripes:Stripes"):
        folder = tmp_path / "site"
        (folder / "nasd_stripes-1.0.dist-info").mkdir(parents=True)
        (folder / "nasd_stripes-1.0.dist-info" / "METADATA").write_text("Name: nasd-stripes\nVersion: 1.0\n")
        (folder / "nasd_stripes-1.0.dist-info" / "entry_points.txt").write_text(f"[nasd.datasets]\nstripes = {value}\n")
        (folder / "nasd_stripes.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "nasd_stripes", raising=False)
        return folder

    return install


def test_the_example_of_a_data_set_of_ones_own(installed, tmp_path):
    """In a real search, whose worker finds the package too."""
    assert 'stripes = "nasd_stripes:Stripes"' in (EXAMPLE / "pyproject.toml").read_text()
    site = installed((EXAMPLE / "nasd_stripes.py").read_text())
    data = load(config := DataConfig(name="stripes"), 1)
    assert describe(config) == (12, 1, 3)
    assert (len(data.test), data.classes) == (60, ("down", "across", "slanted"))
    assert fingerprint(config).count == 2
    environment = os.environ | {"NASD_HOME": str(tmp_path), "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-m", "nasd", "run", EXAMPLE / "stripes.yaml", "--set", "search.epsilon_schedule=[[1.0, 1]]"],
        env=environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Finished after" in done.stdout


def test_a_data_set_that_nobody_has():
    with pytest.raises(ValueError, match=r"no data set 'stripes'; there are digits, mnist.*image_csv "):
        DataConfig(name="stripes")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("astype(np.uint8)[:, None]", "astype(np.float32)[:, None]"), "no array .* of uint8"),
        (("labels=labels)", "labels=labels + 1)"), "labels that are not 0 to 2"),
        (("return Raw(", "raise KeyError('x')\n        return Raw("), "failed in `read`: KeyError"),
        (
            ("import numpy as np", "import numpy as np\nraise OSError('no such server')"),
            "cannot be used: OSError: no such",
        ),
    ],
)
def test_mistakes_in_it_are_sentences(installed, change, said):
    source = (EXAMPLE / "nasd_stripes.py").read_text()
    assert change[0] in source
    installed(source.replace(*change))
    with pytest.raises(NasdError, match=f"the data set stripes .*{said}") as error:
        load(DataConfig(name="stripes"), 1)
    assert "\n" not in str(error.value)
