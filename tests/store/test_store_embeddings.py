"""Embeddings: whole or not there, checked when read."""

import json
import random
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

from store import DamagedError, Delta, DiskError, EmbeddingError, Run, StoreError, embeddings, seal, soundness
from store.embeddings import Embedding, Split, layout, stage
from tests.helpers import store_samples as samples

ATTRIBUTES = {"architecture": "[C(1,3,1,1,1), SM(10)]", "seed": 2**63, "transforms": ["a", 1.5]}


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * 40 * 2)  # 128 rows of 20 float16


@pytest.fixture
def run(tmp_path):
    with samples.create(tmp_path / "run") as made:
        yield made


def equal(left: Split, right: Split) -> bool:
    return all(
        getattr(left, part).dtype == getattr(right, part).dtype
        and np.array_equal(getattr(left, part), getattr(right, part))
        for part in ("x", "y", "index")
    )


def by_class(split: Split) -> Split:
    order = np.argsort(split.y, kind="stable")
    return Split(split.x[order], split.y[order], split.index[order])


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 128, 129, 191, 192, 193, 1000])
def test_rows_come_back_sorted_by_class(tmp_path, small_shards, rows):
    split = samples.split(rows)
    made = Embedding(stage(tmp_path, {"train": split, "test": samples.split(3)}, ATTRIBUTES))
    assert equal(made.read("train"), by_class(split))
    assert made.attributes == ATTRIBUTES
    assert made.splits == {"train": (rows, 20), "test": (3, 20)}
    assert list(made.check()) == []


def test_labels_of_several_classes(tmp_path):
    draw = np.random.default_rng(1)
    y = draw.integers(0, 2, (50, 6)).astype(np.uint8)
    made = Embedding(stage(tmp_path, {"val": Split(np.zeros((50, 4), np.float32), y, np.arange(50))}, {})).read("val")
    assert [tuple(row) for row in made.y] == sorted(map(tuple, y))
    assert np.array_equal(y[made.index], made.y)


def test_shards_are_50_to_100_mb():
    for dimension, kind in ((3200, "float16"), (12800, "float16"), (20000, "float32"), (256, "float32")):
        row = dimension * np.dtype(kind).itemsize
        rows = max(min(embeddings.SHARD_BYTES // row, 10**9) // embeddings.CHUNK_ROWS, 1) * embeddings.CHUNK_ROWS
        assert 50e6 < rows * row < 100e6


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"training": samples.split(3)}, "no split 'training'"),
        ({"train": Split(np.zeros(3), np.zeros(3, int), np.arange(3))}, "shape"),
        ({"train": Split(np.zeros((3, 2), object), np.zeros(3, int), np.arange(3))}, "dtype object"),
        ({"train": Split(np.zeros((3, 2)), np.zeros(2, int), np.arange(3))}, "3 rows in x, 2 in y"),
    ],
)
def test_what_cannot_be_an_embedding_is_refused(tmp_path, splits, message):
    with pytest.raises(ValueError, match=message):
        stage(tmp_path, splits, {})
    assert list(tmp_path.iterdir()) == []


def test_a_staged_embedding_is_adopted_and_opened_by_its_trial(run):
    temporary = stage(run.embeddings.path, {"train": samples.split(10)}, ATTRIBUTES)
    assert run.embeddings.adopt(temporary, "00001.zarr") == "00001.zarr"
    run.commit(samples.step(1, trial=samples.trial(1, embedding="00001.zarr")))
    assert run.embeddings.open(1).attributes == ATTRIBUTES
    assert run.embeddings.kept() == {1: samples.trial(1).reward}
    assert run.embeddings.sweep() == []
    with pytest.raises(EmbeddingError, match="trial 2 has no embedding"):
        run.embeddings.open(2)


@pytest.mark.parametrize("name", ["", ".", "..", ".tmp-1", "a/b", "../x", "/x"])
def test_a_name_stays_in_its_folder(run, name):
    temporary = stage(run.embeddings.path, {"train": samples.split(1)}, {})
    with pytest.raises(EmbeddingError, match="cannot name an embedding"):
        run.embeddings.adopt(temporary, name)


@pytest.mark.parametrize("name", ["'../../precious'", "'/precious'", "'.'", "''"])
def test_a_row_that_names_something_else_is_refused(tmp_path, run, name):
    """Somebody else's run, sealed as it should be: what its rows name would be read, and removed with the embedding."""
    precious = tmp_path / "precious"
    precious.mkdir()
    temporary = stage(run.embeddings.path, {"train": samples.split(1)}, {})
    run.commit(samples.step(1, trial=samples.trial(1, embedding=run.embeddings.adopt(temporary, "1.zarr"))))
    run.close()
    with sqlite3.connect(run.path / "run.db", isolation_level=None) as connection:
        connection.execute(f"UPDATE trial SET embedding = {name}")
        seal.write_tables(connection, ("embedding",))
    connection.close()
    with pytest.raises(DamagedError, match="as the embedding of trial 1"):
        Run.open(run.path, writable=True)
    with Run.open(run.path) as reader:
        with pytest.raises(DamagedError, match="as the embedding of trial 1"):
            reader.embeddings.open(1)
        assert any("as the embedding of trial 1" in problem.what for problem in soundness.check(reader))
    assert precious.exists()


def test_only_what_is_inside_the_folder_can_be_removed(tmp_path, run):
    with pytest.raises(EmbeddingError, match="is not the name of a folder"):
        run.embeddings.remove("../../precious")


def test_a_name_is_used_once(run):
    run.embeddings.write("1.zarr", {"train": samples.split(1)}, {})
    with pytest.raises(EmbeddingError, match="exists already"):
        run.embeddings.write("1.zarr", {"train": samples.split(1)}, {})
    with pytest.raises(DiskError, match="keep an embedding"):
        run.embeddings.adopt(run.embeddings.path / ".tmp-gone", "2.zarr")


def test_sweeping_takes_what_no_trial_refers_to(run):
    run.embeddings.write("1.zarr", {"train": samples.split(1)}, {})
    run.commit(samples.step(1, trial=samples.trial(1, embedding="1.zarr")))
    run.embeddings.write("2.zarr", {"train": samples.split(1)}, {})
    (run.embeddings.path / ".tmp-1").mkdir()
    (run.embeddings.path / "x.partial").write_bytes(b"x")
    assert run.embeddings.sweep() == [".tmp-1", "2.zarr", "x.partial"]
    assert [path.name for path in run.embeddings.path.iterdir()] == ["1.zarr"]


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path, small_shards):
    return stage(tmp_path, {"train": samples.split(500)}, ATTRIBUTES)


def data_files(path: Path):
    return sorted(item for item in path.rglob("*") if item.is_file() and "c" in item.relative_to(path).parts)


def test_a_missing_shard_is_told(made):
    for file in data_files(made):
        data = file.read_bytes()
        file.unlink()
        with pytest.raises(EmbeddingError, match="is missing; embed the trial again"):
            Embedding(made).read("train")
        assert len(list(Embedding(made).check())) == 1
        file.write_bytes(data)
    assert list(Embedding(made).check()) == []


def test_flipped_bits_never_change_a_value_unnoticed(made):
    good = Embedding(made).read("train")
    draw = random.Random(1)
    noticed = 0
    for file in draw.choices(data_files(made), k=150):
        data = file.read_bytes()
        broken = bytearray(data)
        broken[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        file.write_bytes(broken)
        try:
            assert equal(Embedding(made).read("train"), good)  # a bit that means nothing to zstd
        except EmbeddingError as error:
            assert "damaged" in str(error)  # noqa: PT017
            noticed += 1
        file.write_bytes(data)
    assert noticed >= 140


def test_a_cut_file_is_told(made):
    file = data_files(made)[0]
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(EmbeddingError, match="damaged"):
        Embedding(made).read("train")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [10**15, 20]},
        {"shape": [400, 20]},
        {"shape": "many"},
        {"data_type": "variable_length_bytes"},
        {"data_type": {"name": "numpy.object"}},
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": None},
        {"chunk_grid": {}},
        {"zarr_format": 2},
    ],
)
def test_metadata_that_nasd_does_not_write_is_refused(made, change):
    file = made / "train" / "x" / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(EmbeddingError):
        Embedding(made).read("train")


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "\x00"])
def test_metadata_that_is_no_json_is_refused(made, text):
    (made / "zarr.json").write_text(text)
    with pytest.raises(EmbeddingError):
        Embedding(made)


def test_an_absurd_size_is_refused_before_it_is_allocated(made):
    with pytest.raises(EmbeddingError, match=r"takes 28,000 bytes of memory, allowed are 27,999"):
        Embedding(made).read("train", max_bytes=27_999)
    assert len(Embedding(made).read("train", max_bytes=28_000).x) == 500
    for part in ("x", "y", "index"):
        file = made / "train" / part / "zarr.json"
        described = json.loads(file.read_text())
        described["shape"][0] = 10**12
        file.write_text(json.dumps(described))
    with pytest.raises(EmbeddingError, match="allowed are"):
        Embedding(made).read("train", max_bytes=10**9)
    with pytest.raises(EmbeddingError, match="is missing"):
        Embedding(made).read("train")


def test_no_embedding_and_no_split(tmp_path, made):
    with pytest.raises(EmbeddingError, match="no embedding at"):
        Embedding(tmp_path / "gone")
    with pytest.raises(EmbeddingError, match="no split 'val'; it has train"):
        Embedding(made).read("val")


# --- quota ---------------------------------------------------------------------------------------------------------


def test_the_worst_go_first(run):
    rewards = (0.5, 0.2, 0.9, 0.2)
    for number, reward in enumerate(rewards, 1):
        run.embeddings.write(f"{number}.zarr", {"train": samples.split(300, seed=number)}, {})
        run.commit(samples.step(number, trial=samples.trial(number, reward=reward, embedding=f"{number}.zarr")))
    whole = run.embeddings.size()
    one = whole // 4
    assert run.embeddings.over_quota(whole) == ()
    assert run.embeddings.over_quota(whole - 1) == (4,)
    assert run.embeddings.over_quota(int(2.2 * one)) == (4, 2)
    assert run.embeddings.over_quota(0) == (4, 2, 1, 3)
    run.commit(Delta(dropped_embeddings=run.embeddings.over_quota(int(2.2 * one))))
    assert sorted(path.name for path in run.embeddings.path.iterdir()) == ["1.zarr", "3.zarr"]
    assert soundness.check(run) == []


def test_a_reader_changes_nothing(run):
    with type(run).open(run.path) as reader, pytest.raises(StoreError, match="reading only"):
        reader.embeddings.write("1.zarr", {"train": samples.split(1)}, {})


def test_an_empty_shard_is_no_zeros(tmp_path):
    """What a power cut leaves of a file that was not synced."""
    folder = stage(tmp_path, {"train": samples.split(10)}, {})
    (folder / "train" / "index" / "c" / "0").write_bytes(b"")
    with pytest.raises(EmbeddingError, match="is empty"):
        Embedding(folder).read("train")


@pytest.mark.parametrize("shape", [[10**9, 20], [10, 10**12]])
def test_a_bomb_is_refused_before_it_is_read(tmp_path, shape):
    """A description may promise any size, and a few bytes of zstd keep the promise."""
    folder = stage(tmp_path, {"train": samples.split(10)}, {})
    file = folder / "train" / "x" / "zarr.json"
    described = json.loads(file.read_text())
    described["shape"] = shape
    described["chunk_grid"]["configuration"]["chunk_shape"] = [max(64, shape[0]), shape[1]]
    file.write_text(json.dumps(described))
    with pytest.raises(EmbeddingError, match="which nasd does not write"):
        Embedding(folder)


def documents(folder: Path) -> list[Path]:
    return sorted(folder.rglob("zarr.json"))


def faults(folder: Path) -> list[str]:
    """What opening and checking an embedding says against it."""
    try:
        return list(Embedding(folder).check())
    except StoreError as error:
        return [str(error)]


def test_a_changed_description_is_noticed(tmp_path):
    path = stage(tmp_path, {"train": samples.split(5), "val": samples.split(2)}, ATTRIBUTES)
    assert len(documents(path)) == 9
    for document in documents(path):
        whole = document.read_bytes()
        for position in range(0, len(whole), 13):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << (position % 7)
            document.write_bytes(damaged)
            try:
                same = json.loads(damaged) == json.loads(whole)
            except ValueError:
                same = False
            assert same or faults(path), f"{document} at {position}"
        document.write_bytes(whole)
    assert faults(path) == []


def test_the_run_s_check_names_the_changed_attribute_s_embedding(run):
    run.embeddings.write("a.zarr", {"train": samples.split(5)}, ATTRIBUTES)
    run.commit(samples.step(1, trial=samples.trial(1, embedding="a.zarr")))
    assert soundness.check(run) == []
    file = run.path / "embeddings/a.zarr/zarr.json"
    file.write_text(file.read_text().replace("[C(1,3,1,1,1), SM(10)]", "[C(2,3,1,1,1), SM(10)]"))
    (problem,) = soundness.check(run)
    assert problem.where == "embeddings/a.zarr"
    assert "what it says of itself" in problem.what


def test_an_embedding_of_an_older_version_has_no_checksum(tmp_path):
    path = stage(tmp_path, {"train": samples.split(5)}, ATTRIBUTES)
    for name in ("", "train"):
        document = json.loads((path / name / "zarr.json").read_bytes())
        del document["attributes"]["metadata_sha256"]
        (path / name / "zarr.json").write_text(json.dumps(document))
    assert faults(path) == []
    assert Embedding(path).attributes == ATTRIBUTES


def test_zarr_may_consolidate_the_metadata(tmp_path):
    path = stage(tmp_path, {"train": samples.split(5)}, ATTRIBUTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr: not part of the specification yet
        zarr.consolidate_metadata(path)
    assert faults(path) == []
