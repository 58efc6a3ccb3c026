"""A run and its data: real commands and daemons, on data that change, move, and are named by relative paths."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from nasd import config as configuration
from nasd import load_model
from nasd.config import DataConfig
from nasd.data import fingerprint
from nasd.errors import DataChangedError, DataMissingError
from nasd.executors.work import Setup, build
from nasd.runs import create, data
from store import Run, snapshot
from store.embeddings import Embedding
from tests.helpers.nasd_harness import configure, living, soon, until

CONFIG = """
name: img
data: {name: image_folder, root: images, image_size: 16}
space:
  {min_conv: 1, max_conv: 2, conv_sizes: [3], conv_features: [8], large_conv_strides: [], pool_sizes: [2],
   pool_strides: [2]}
search: {epsilon_schedule: [[1.0, 2], [0.0, 1]]}
training: {epochs: 2, early_stopping_epoch: 2, early_stopping_thresh: 0.0}
executor: {threads: 1, devices: [cpu]}
"""  # as shared/cases/images.yaml


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a config and images; homes of its own."""
    monkeypatch.setenv("NASD_HOME", str(tmp_path / "runs"))
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
def run(place, tmp_path, monkeypatch):
    """A run that was just made, with a relative root."""
    monkeypatch.chdir(place)
    create.create(create.settle(configuration.load(place / "images.yaml")), directory := tmp_path / "runs" / "img")
    monkeypatch.chdir("/")
    return directory


def add_a_class(root):
    for part in ("train", "test"):
        shutil.copytree(root / part / "a", root / part / "aa")


def test_a_class_that_came_is_refused_by_every_start(run, place):
    """shared/cases: the search went on, with classes moved."""
    add_a_class(place / "images")
    for command in ("start", "run"):
        said = refused(nasd(command, "img", cwd=place))
        assert "class `aa` is new; 26 files are new, such as test/aa/000.png" in said
    assert not (run / "daemon.sock").exists()


def test_a_worker_refuses_other_data(run, place):
    Image.new("RGB", (16, 16)).save(place / "images/train/a/000.png")
    with Run.open(run) as opened:
        text, identity = opened.config, opened.flags()["data"]
    setup = Setup(config=text, device="cpu", threads=1, staging=str(run), memory_limit=None, identity=identity)
    with pytest.raises(DataChangedError, match=r"file train/a/000\.png has changed"):
        build(setup)


def test_embeddings_and_weights_say_whose_they_are(run, place):
    """One search; then another class comes."""
    done(nasd("run", "img", cwd="/"))
    identity = fingerprint(DataConfig(name="image_folder", root=place / "images", image_size=16))
    done(nasd("embed", "img", "--to", place / "e.zarr", cwd=place))
    done(nasd("export", "model", "img", "-o", place / "m.safetensors", cwd=place))
    with Run.open(run) as opened:
        kept = opened.embeddings.open(next(iter(opened.embeddings.kept())))
    for attributes in (kept.attributes, Embedding(place / "e.zarr").attributes):
        assert attributes["data"]["identity"] == identity.summary()
    config = configuration.load(run / "config.yaml").data
    load_model(place / "m.safetensors", config)
    add_a_class(place / "images")
    load_model(place / "m.safetensors")
    with pytest.raises(DataChangedError, match=r"52 files, of other classes, .* then, 78 of"):
        load_model(place / "m.safetensors", config)
    assert "class `aa` is new" in refused(nasd("embed", "img", "--to", place / "f.zarr", cwd=place))
    assert not (place / "f.zarr").exists()


def test_moved_data_are_found_by_being_told(run, place, tmp_path, monkeypatch):
    """shared/cases: the run could never go on."""
    moved, other = tmp_path / "moved", tmp_path / "other"
    (place / "images").rename(moved)
    assert "nasd data img --root FOLDER" in refused(nasd("run", "img", cwd=place))
    shutil.copytree(moved, other)
    (other / "train/a/000.png").unlink()
    with Run.open(run, writable=True) as opened:
        with pytest.raises(DataMissingError, match="does not hold image_folder"):
            data.move(opened, tmp_path)
        with pytest.raises(DataChangedError, match=r"file train/a/000\.png is gone"):
            data.move(opened, other)
    assert str(moved) in done(nasd("data", "img", "--root", "moved", cwd=tmp_path))
    data.require_same(run)
    with Run.open(run) as opened:
        fork = opened.fork(tmp_path / "fork", at=0, name="fork", version="1")
        found = data.located(fork, configuration.load(run / "config.yaml"))
        assert (found.data.root, data.frozen(fork)) == (moved, data.frozen(opened))
        fork.close()
    Image.new("RGB", (16, 16)).save(moved / "train/a/000.png")
    with pytest.raises(DataChangedError):
        data.require_same(run)


def test_a_snapshot_goes_on_where_the_data_lie_elsewhere(run, place, tmp_path, monkeypatch):
    snapshot.write(run, tmp_path / "img.tar")
    (tmp_path / "data").mkdir()
    (place / "images").rename(tmp_path / "data" / "images")
    there = snapshot.restore(tmp_path / "img.tar", tmp_path / "there", lambda text: ("img", text))
    with pytest.raises(DataMissingError, match="--root"):
        data.require_same(there)
    monkeypatch.setenv("NASD_DATA", str(tmp_path / "data"))
    data.require_same(there)
    monkeypatch.delenv("NASD_DATA")  # a service has none, and finds them all the same
    data.require_same(there)
    assert str(tmp_path / "data" / "images") in done(nasd("data", there, cwd="/"))


def test_a_relative_root_is_the_same_for_run_and_start(run, place):
    """shared/cases: `run` found it, `start` never did."""
    config = configuration.load(run / "config.yaml")
    assert config.data.root == place / "images"
    assert not create.differences(config.model_copy(update={"data": config.data}), config)
    try:
        done(nasd("start", place / "images.yaml", cwd=place))
        with Run.open(run) as opened:
            until(opened.count, "a trial")
    finally:
        done(nasd("stop", "img", cwd=place))


def test_a_run_of_before_with_a_relative_root_is_told_where_it_is(run, place, monkeypatch):
    config = data.with_root(configuration.parse((run / "config.yaml").read_text()), Path("images"))
    monkeypatch.setattr(Run, "config", configuration.dump(config))
    monkeypatch.setattr(Run, "config_is_as_created", True)
    with pytest.raises(DataMissingError):
        data.require_same(run)
    monkeypatch.chdir(place)
    data.require_same(run)
    monkeypatch.chdir("/")
    data.require_same(run)


async def test_a_run_of_before_gets_its_fingerprint_and_the_log_says_so(tmp_path):
    with Run.create(tmp_path / "old", configuration.dump(configure()), name="stub", version="0") as opened:
        assert data.frozen(opened) is None
    data.require_same(tmp_path / "old")
    async with living(tmp_path / "old") as live:
        await soon(lambda: live.daemon.run.flags().get(data.IDENTITY), "a fingerprint")
        await soon(lambda: "the data got a fingerprint" in (tmp_path / "old/log/daemon.jsonl").read_text(), "the log")


def test_a_finished_run_whose_data_are_gone_still_opens(run, place):
    """It is looked at, plotted and served; a search that is not finished is refused."""
    done(nasd("run", "img", cwd=place))
    shutil.rmtree(place / "images")
    for command in (("start", "img"), ("status", "img"), ("trials", "img"), ("stop", "img"), ("verify", "img")):
        done(nasd(*command, cwd=place))
    done(nasd("set", "img", "search.epsilon_schedule=[[1.0, 2], [0.0, 3]]", cwd=place))
    assert "nasd data img --root FOLDER" in refused(nasd("start", "img", cwd=place))
