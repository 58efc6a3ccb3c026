"""CIFAR as its authors leave it on disks: pickles, read without running what they name."""

import contextlib
import os
import pickle
import pickletools
import subprocess
import tarfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd.config import DataConfig
from nasd.data import fingerprint, load
from nasd.data._unpickle import UnpickleError, loads
from nasd.errors import DataMissingError
from tests.data.test_data import cifar10_files


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
