"""Embeddings written in parts: killed anywhere, gone on with, and what comes out."""

import subprocess
import sys

import numpy as np
import pytest
import zarr

from store import DiskFullError, EmbeddingError
from store import files as store_files
from store.embeddings import Draft, Embedding, draft, layout, stage
from store.embeddings import Split as Rows

ROWS, VALUES = 700, 20
DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(ROWS, VALUES)).astype(np.float16)
Y, INDEX = DRAW.integers(0, 5, ROWS), DRAW.permutation(ROWS)
LABELS = {"train": (Y, INDEX), "test": (Y[:90], INDEX[:90])}
REQUEST = {"seed": 7}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * VALUES * 2)


def fill(open_draft, first=0, stop=10**9):
    """Put rows in steps of 50, in an order of its own; the test split is the last step."""
    order = np.random.default_rng(1).permutation(ROWS)
    for step, start in enumerate(range(0, ROWS, 50)):
        if first <= step < stop:
            open_draft.put("train", order[start : start + 50], X[order[start : start + 50]])
            open_draft.save({"steps": np.array(step + 1)})
    open_draft.put("test", np.arange(90), X[:90])


def same_as_staged(tmp_path, target):
    splits = {name: Rows(X[: len(y)], y, index) for name, (y, index) in LABELS.items()}
    whole, parts = Embedding(stage(tmp_path, splits, {"a": 1})), Embedding(target)
    assert parts.attributes == {"a": 1}
    assert list(parts.check()) == []
    for name in splits:
        for part in ("x", "y", "index"):
            one, other = getattr(whole.read(name), part), getattr(parts.read(name), part)
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)
    files = [sorted(p.relative_to(e.path) for e in [e] for p in e.path.rglob("*")) for e in (whole, parts)]
    assert files[0] == files[1]


def test_a_draft_equals_what_is_written_at_once(tmp_path):
    target = tmp_path / "new" / "e.zarr"
    with Draft(target, REQUEST, LABELS, VALUES, "float16") as made:
        fill(made)
        made.finish({"a": 1})
    same_as_staged(tmp_path, target)
    assert list(target.parent.iterdir()) == [target]


KILLED = """
import os, signal, sys
from tests.results import test_results_draft as t
from pathlib import Path
t.layout.SHARD_BYTES = 64 * t.VALUES * 2
left = {writes}
real = t.store_files.sync
def sync(path):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(path)
t.store_files.sync = sync
with t.Draft(Path({target!r}), t.REQUEST, t.LABELS, t.VALUES, "float16") as made:
    t.fill(made, int(made.mark.get("steps", 0)))
    made.finish({{"a": 1}})
"""


def test_killed_at_any_moment_it_leaves_what_can_be_gone_on_with(tmp_path):

    target = tmp_path / "e.zarr"
    kills = 0
    for writes in (3, 20, 25, 12, 30, 60, 8, 1000):
        script = KILLED.format(writes=writes, target=str(target))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        kills += 1
        assert not target.exists()
        assert [path.name for path in tmp_path.iterdir()] == [".e.zarr.part"]
    assert kills >= 4
    same_as_staged(tmp_path, target)


def test_going_on_keeps_finished_shards_and_repairs_a_damaged_one(tmp_path, monkeypatch):
    target = tmp_path / "e.zarr"
    with Draft(target, REQUEST, LABELS, VALUES, "float16") as made:
        fill(made)
        made.save({"steps": np.array(14)})
        monkeypatch.setattr(store_files, "publish", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
        with pytest.raises(DiskFullError):
            made.finish({"a": 1})
    monkeypatch.undo()
    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * VALUES * 2)
    shards = sorted((tmp_path / ".e.zarr.part/whole.zarr/train/x/c").glob("*/0"))
    before = [shard.stat().st_mtime_ns for shard in shards]
    shards[2].write_bytes(b"\0" * shards[2].stat().st_size)
    with Draft(target, REQUEST, LABELS, VALUES, "float16") as made:
        assert made.mark["steps"] == 14
        made.finish({"a": 1})
    after = [(target / "train/x/c" / shard.parent.name / "0").stat().st_mtime_ns for shard in shards]
    assert [a == b for a, b in zip(after, before, strict=True)] == [number != 2 for number in range(len(shards))]
    same_as_staged(tmp_path, target)


def test_another_request_begins_anew(tmp_path):
    target = tmp_path / "e.zarr"
    with Draft(target, REQUEST, LABELS, VALUES, "float16") as made:
        made.save({"steps": np.array(3)})
    for request, labels, dtype in (
        ({"seed": 8}, LABELS, "float16"),
        (REQUEST, {"train": (Y, INDEX[::-1])}, "float16"),
        (REQUEST, LABELS, "float32"),
    ):
        with Draft(target, request, labels, VALUES, dtype) as made:
            assert made.mark == {}
            made.save({"steps": np.array(3)})


def test_one_writer_and_a_free_place(tmp_path):
    target = tmp_path / "e.zarr"
    with Draft(target, REQUEST, LABELS, VALUES, "float16"), pytest.raises(EmbeddingError, match="is writing"):
        Draft(target, REQUEST, LABELS, VALUES, "float16")
    target.mkdir()
    with pytest.raises(EmbeddingError, match="exists already"):
        Draft(target, REQUEST, LABELS, VALUES, "float16")
    assert [path.name for path in tmp_path.iterdir()] == ["e.zarr"]  # a finished one's draft is of no use


def test_what_does_not_fit_the_dtype_is_refused(tmp_path):
    with Draft(tmp_path / "e.zarr", REQUEST, LABELS, VALUES, "float16") as made:
        for value in (1e6, np.nan, -np.inf):
            with pytest.raises(EmbeddingError, match="beyond float16"):
                made.put("train", np.array([0]), np.full((1, VALUES), value, np.float32))


def test_it_is_due_after_a_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(draft, "SHARD_BYTES", 1000)
    with Draft(tmp_path / "e.zarr", REQUEST, LABELS, VALUES, "float16") as made:
        made.put("train", np.arange(24), X[:24])
        assert not made.due
        made.put("train", np.arange(24, 26), X[24:26])
        assert made.due
        made.save({})
        assert not made.due


def test_zarr_alone_reads_it(tmp_path):
    with Draft(tmp_path / "e.zarr", REQUEST, LABELS, VALUES, "float16") as made:
        fill(made)
        made.finish({"a": 1})
    group = zarr.open_group(tmp_path / "e.zarr", mode="r")
    order = np.argsort(Y, kind="stable")
    assert np.array_equal(group["train/x"][:], X[order])
    assert np.array_equal(group["train/y"][:], Y[order])
    assert group["train/x"].nchunks_initialized == group["train/x"].nchunks
