"""The identity of data: what changes it, how it is said, and the cache."""

import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from nasd.config import DataConfig
from nasd.data import Fingerprint, _hashes, difference, fingerprint, is_there, require_same
from nasd.errors import DataChangedError, DataMissingError
from tests.data.test_data import cifar10_files, write_archive, write_mnist


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nasd" / "fingerprints"


def write_images(root, count=4):
    for part in ("train", "test"):
        for place, name in enumerate("ab"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (8, 8), (100 * place + number, part == "test", 0))
                image.save(path := root / part / name / f"{number:03}.png")
                os.utime(path, (1e9, 1e9))
    return DataConfig(name="image_folder", root=root, image_size=8)


@pytest.fixture
def config(tmp_path):
    return write_images(tmp_path / "images")


def changed(config, change):
    before = fingerprint(config)
    change(config.root)
    now = fingerprint(config)
    assert (now.digest != before.digest) == bool(difference(before, now) != "the contents of files changed")
    assert now.digest != before.digest
    return difference(before, now)


def paint(path):
    Image.new("RGB", (8, 8), (255, 255, 255)).save(path)


CHANGES = {
    "class `aa` is new; 8 files are new, such as test/aa/000.png": lambda root: [
        shutil.copytree(root / part / "a", root / part / "aa") for part in ("train", "test")
    ],
    "class `b` is gone; 8 files are gone, such as test/b/000.png": lambda root: [
        shutil.rmtree(root / part / "b") for part in ("train", "test")
    ],
    "3 files have changed, such as train/a/000.png": lambda root: [
        paint(root / f"train/a/00{number}.png") for number in range(3)
    ],
    "file test/b/001.png has changed": lambda root: paint(root / "test/b/001.png"),
    "file train/a/004.png is new; file train/a/000.png is gone": lambda root: (root / "train/a/000.png").rename(
        root / "train/a/004.png"
    ),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_changed_is_said(config, said):
    assert changed(config, CHANGES[said]) == said


def test_a_change_that_keeps_size_and_time_is_seen(config):
    path = config.root / "train/a/000.png"

    def swap(root):
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9))

    assert changed(config, swap) == "file train/a/000.png has changed"


def test_another_place_other_times_and_hidden_files_are_the_same_data(config, tmp_path):
    before = fingerprint(config)
    shutil.copytree(config.root, tmp_path / "else", copy_function=shutil.copyfile)
    (tmp_path / "else/train/a/._000.png").write_bytes(b"Mac OS X")
    (tmp_path / "else/train/.ipynb_checkpoints").mkdir()
    moved = config.model_copy(update={"root": tmp_path / "else"})
    assert require_same(before, moved).digest == before.digest
    paint(tmp_path / "else/test/a/000.png")
    with pytest.raises(DataChangedError, match=r"else does not hold the data.*test/a/000\.png has changed.*--root"):
        require_same(before, moved)


def test_it_survives_json_and_refuses_other_json(config):
    before = fingerprint(config)
    assert Fingerprint.from_json(json.loads(json.dumps(before.to_json()))) == before
    whole = before.to_json()
    for broken in (None, 3, {}, {**whole, "entries": "AAAA"}, {**whole, "entries": 7}, {**whole, "count": "x"}):
        with pytest.raises(ValueError, match="no fingerprint"):
            Fingerprint.from_json(broken)


def test_of_too_many_files_only_the_number_is_said(config, monkeypatch):
    monkeypatch.setattr("nasd.data._fingerprint.MAX_LISTED", 3)
    before = fingerprint(config)
    assert before.entries is None
    (config.root / "test/a/003.png").unlink()
    assert difference(before, fingerprint(config)).startswith("16 files of ")


def test_the_same_images_in_another_packing_are_the_same(tmp_path):
    write_mnist(tmp_path / "plain")
    write_mnist(tmp_path / "packed", compressed=True)
    plain, packed = (fingerprint(DataConfig(name="mnist", root=tmp_path / name)) for name in ("plain", "packed"))
    assert plain == packed
    raw = write_mnist(tmp_path / "fewer", test=19)
    with pytest.raises(DataChangedError, match="part test images has changed"):
        require_same(plain, DataConfig(name="mnist", root=tmp_path / "fewer"))
    (raw / "t10k-labels-idx1-ubyte").unlink()
    assert not is_there(DataConfig(name="mnist", root=tmp_path / "fewer"))


def test_labels_count_too(tmp_path):
    raw = write_mnist(tmp_path)
    before = fingerprint(config := DataConfig(name="mnist", root=tmp_path))
    labels = bytearray((raw / "train-labels-idx1-ubyte").read_bytes())
    labels[-1] = (labels[-1] + 1) % 10
    (raw / "train-labels-idx1-ubyte").write_bytes(labels)
    assert difference(before, fingerprint(config)) == "part training images has changed"


def test_cifar_from_an_archive_and_unpacked_is_the_same(tmp_path):
    write_archive(tmp_path)
    packed = fingerprint(config := DataConfig(name="cifar10", root=tmp_path))
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, content in cifar10_files():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(content)
    assert fingerprint(config) == packed


def test_an_image_csv_is_its_table_and_its_images(tmp_path):
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    table = tmp_path / "images.csv"
    table.write_text("path,x\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(20)))
    config = DataConfig(name="image_csv", root=tmp_path, image_size=8)
    before = fingerprint(config)
    assert (before.count, before.classes) == (21, ("x",))
    paint(tmp_path / "unlisted.png")
    assert fingerprint(config) == before
    table.write_text(table.read_text().replace("7.png,1", "7.png,0"))
    assert difference(before, fingerprint(config)) == "file images.csv has changed"


def test_digits_need_no_files(cache):
    assert fingerprint(DataConfig()).count == 2
    assert not cache.exists()


def test_what_is_not_there(tmp_path):
    with pytest.raises(DataMissingError):
        fingerprint(DataConfig(name="image_folder", root=tmp_path / "none", image_size=8))


# --- the cache ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hashed(monkeypatch):
    """How many files were hashed."""
    count, real = [], _hashes._digest
    monkeypatch.setattr(_hashes, "_digest", lambda *given: count.append(1) or real(*given))
    monkeypatch.setattr(_hashes, "_SETTLED", -1)  # whatever was just written counts as settled
    return count


def test_a_file_is_hashed_once(config, hashed):
    fingerprint(config)
    assert len(hashed) == 16
    paint(config.root / "test/b/000.png")
    fingerprint(config)
    assert len(hashed) == 17


def test_what_was_just_written_is_not_remembered(config, hashed, monkeypatch):
    monkeypatch.setattr(_hashes, "_SETTLED", 60)
    fingerprint(config)
    fingerprint(config)
    assert len(hashed) == 32


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"x": 3}'])
def test_a_corrupt_cache_is_ignored(config, cache, hashed, content):
    before = fingerprint(config)
    (file,) = cache.iterdir()
    file.write_bytes(content)
    assert fingerprint(config) == before
    assert len(hashed) == 32


def test_entries_of_another_kind_are_ignored(config, cache, hashed):
    before = fingerprint(config)
    (file,) = cache.iterdir()
    entries = json.loads(file.read_bytes())
    for place, path in enumerate(entries):
        entries[path] = [None, 3, [1], entries[path][:4], [*entries[path][:4], 7]][place % 5]
    file.write_text(json.dumps(entries))
    assert fingerprint(config) == before


def test_a_poisoned_cache_of_arrays_is_ignored(tmp_path, cache, hashed):
    write_mnist(tmp_path)
    before = fingerprint(config := DataConfig(name="mnist", root=tmp_path))
    (file,) = cache.iterdir()
    entries = json.loads(file.read_bytes())
    for entry in entries.values():
        entry["value"] = {"sha256": 3}
    file.write_text(json.dumps(entries))
    assert fingerprint(config) == before


def test_a_home_that_cannot_be_written(config, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert fingerprint(config) == fingerprint(config)


def test_several_at_once(config, cache, hashed):
    found, expected = [], fingerprint(config)
    threads = [threading.Thread(target=lambda: found.append(fingerprint(config))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8
    assert [path.suffix for path in cache.iterdir()] == [".json"]


def test_it_needs_no_torch():
    code = "import sys, nasd.data; nasd.data.fingerprint; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_thousands_of_images(tmp_path):
    """What is stored of each is a few bytes."""
    random = np.random.default_rng(0)
    for part, count in (("train", 1000), ("test", 200)):
        for name in "abcde":
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / part / name / f"{number:05}.png").write_bytes(random.bytes(700))
    found = fingerprint(DataConfig(name="image_folder", root=tmp_path, image_size=8))
    assert found.count == 6000
    assert len(json.dumps(found.to_json())) < 40 * 6000
