"""KMNIST, EMNIST, SVHN and STL-10 as their authors and torchvision leave them on disks."""

import contextlib
import gzip
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd.config import DataConfig
from nasd.data import describe, load
from nasd.data._matlab import MatError
from nasd.data._matlab import read as read_mat
from nasd.errors import DataMissingError
from tests.data.test_data import idx

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
