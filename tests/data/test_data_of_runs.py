"""A run and its data: real commands and daemons, on data that change, move, and are named by relative paths."""

import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from nasd import config as configuration
from nasd import load_model
from nasd.config import DataConfig
from nasd.data import fingerprint
from nasd.errors import DataChangedError
from store import Delta, Run
from store.embeddings import Embedding

CONFIG = """
name: img
data: {name: image_folder, root: images, image_size: 16}
space: {min_conv: 1, max_conv: 2, conv_sizes: [3], conv_features: [8], large_conv_strides: [], pool_sizes: [2], pool_strides: [2]}
search: {epsilon_schedule: [[1.0, 2], [0.0, 1]]}
training: {epochs: 2, early_stopping_epoch: 2, early_stopping_thresh: 0.0}
executor: {threads: 1, devices: [cpu]}
"""  # as shared/cases/images.yaml


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a config and images; homes of its own."""
    monkeypatch.setenv("NASD_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NASD_DATA", raising=False)
    write_images(tmp_path / "work" / "images")
    (tmp_path / "work" / "images.yaml").write_text(CONFIG)
    return tmp_path / "work"


def write_images(root):
    for part, count in (("train", 20), ("test", 6)):
        for number, name in enumerate("ab"):
            (root / part / name).mkdir(parents=True)
            for image in range(count):
                Image.new("RGB", (16, 16), (90 * number + image, 7, 9)).save(root / part / name / f"{image:03}.png")


def nasd(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nasd", *map(str, arguments)], cwd=cwd, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def done(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result):
    assert result.returncode == 6, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture
def run(place, tmp_path):
    """A search that is finished, made with a relative root."""
    done(nasd("run", "images.yaml", cwd=place))
    return tmp_path / "runs" / "img"


def begin_again(directory):
    """Make a finished search one with trials to come, as far as a start can see."""
    with Run.open(directory, writable=True) as opened:
        opened.commit(Delta(flags={"finished": False}))


def trials(directory):
    with Run.open(directory) as opened:
        return opened.count()


def test_a_class_that_came_is_refused_by_every_start(run, place):
    """shared/cases: the search went on, with classes moved."""
    begin_again(run)
    for part in ("train", "test"):
        shutil.copytree(place / "images" / part / "a", place / "images" / part / "aa")
    for command in ("start", "run"):
        said = refused(nasd(command, "img", cwd=place))
        assert "class `aa` is new; 26 files are new, such as test/aa/000.png" in said
    assert not (run / "daemon.sock").exists()
    assert "class `aa` is new" in refused(nasd("embed", "img", "--to", place / "e.zarr", cwd=place))
    assert "class `aa` is new" in refused(nasd("export", "model", "img", "-o", place / "m.safetensors", cwd=place))
    assert not (place / "e.zarr").exists()


def test_a_worker_refuses_other_data(run, place):
    from nasd.executors.work import Setup, build

    Image.new("RGB", (16, 16)).save(place / "images/train/a/000.png")
    with Run.open(run) as opened:
        setup = Setup(
            config=opened.config, device="cpu", threads=1, staging=str(run), memory_limit=None,
            identity=opened.flags()["data"],
        )  # fmt: skip
    with pytest.raises(DataChangedError, match=r"file train/a/000\.png has changed"):
        build(setup)


def test_embeddings_and_weights_say_whose_they_are(run, place):
    identity = fingerprint(DataConfig(name="image_folder", root=place / "images", image_size=16))
    done(nasd("embed", "img", "--to", place / "e.zarr", cwd=place))
    done(nasd("export", "model", "img", "-o", place / "m.safetensors", cwd=place))
    with Run.open(run) as opened:
        kept = opened.embeddings.open(next(iter(opened.embeddings.kept())))
    for attributes in (kept.attributes, Embedding(place / "e.zarr").attributes):
        assert attributes["data"]["identity"] == identity.summary()
    config = configuration.load(run / "config.yaml").data
    load_model(place / "m.safetensors", config)
    (place / "images/test/b/005.png").unlink()
    load_model(place / "m.safetensors")
    with pytest.raises(DataChangedError, match=r"52 files .* then, 51 of"):
        load_model(place / "m.safetensors", config)


def test_moved_data_are_found_by_being_told(run, place, tmp_path):
    """shared/cases: the run could never go on."""
    begin_again(run)
    moved = tmp_path / "moved"
    (place / "images").rename(moved)
    assert "nasd data img --root FOLDER" in refused(nasd("run", "img", cwd=place))
    assert "does not hold image_folder" in refused(nasd("data", "img", "--root", tmp_path, cwd=place))
    other = tmp_path / "other"
    shutil.copytree(moved, other)
    (other / "train/a/000.png").unlink()
    assert "file train/a/000.png is gone" in refused(nasd("data", "img", "--root", other, cwd=place))
    assert str(moved) in done(nasd("data", "img", "--root", "moved", cwd=tmp_path))
    done(nasd("run", "img", cwd="/"))
    done(nasd("embed", "img", "--to", place / "e.zarr", cwd="/"))
    done(nasd("fork", "img", "other", "--at", 1, cwd="/"))
    assert str(moved) in done(nasd("data", "other", cwd="/"))


def test_a_snapshot_goes_on_where_the_data_lie_elsewhere(run, place, tmp_path):
    begin_again(run)
    done(nasd("snapshot", "img", tmp_path / "img.tar", cwd=place))
    elsewhere = {"NASD_HOME": str(tmp_path / "there"), "NASD_DATA": str(tmp_path / "data")}
    (tmp_path / "data").mkdir()
    (place / "images").rename(tmp_path / "data" / "images")
    done(nasd("restore", tmp_path / "img.tar", cwd="/", **elsewhere))
    done(nasd("run", "img", cwd="/", **elsewhere))
    del elsewhere["NASD_DATA"]  # as a service would start it
    assert str(tmp_path / "data" / "images") in done(nasd("data", "img", cwd="/", **elsewhere))
    begin_again(tmp_path / "there" / "img")
    Image.new("RGB", (16, 16)).save(tmp_path / "data/images/train/a/000.png")
    assert "train/a/000.png has changed" in refused(nasd("run", "img", cwd="/", **elsewhere))


def test_a_relative_root_is_the_same_for_run_and_start(run, place):
    """shared/cases: `run` found it, `start` never did."""
    assert configuration.load(run / "config.yaml").data.root == place / "images"
    begin_again(run)
    try:
        done(nasd("start", "images.yaml", cwd=place))
        done(nasd("status", "img", cwd="/"))
    finally:
        nasd("stop", "img", cwd=place)
    assert trials(run) >= 3


def test_a_run_of_before_gets_its_fingerprint_and_the_log_says_so(run, place):
    with Run.open(run, writable=True) as opened:
        opened._connection.execute("DELETE FROM flag WHERE name = 'data'")
        opened.commit(Delta(flags={"finished": False}))
    assert "no fingerprint yet" in done(nasd("data", "img", cwd=place))
    done(nasd("run", "img", cwd=place))
    assert "52 files" in done(nasd("data", "img", cwd=place))
    assert "the data got a fingerprint" in done(nasd("log", "img", cwd=place))
