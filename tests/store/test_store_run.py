"""Making and opening a run, and what is said of a run that cannot be opened."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import store
from store import (
    DamagedError,
    InvalidDeltaError,
    Run,
    RunExistsError,
    RunLockedError,
    RunMissingError,
    StoreError,
)
from tests.helpers import store_samples as samples


def test_a_new_run_holds_what_it_was_made_with(tmp_path):
    with Run.create(tmp_path / "a" / "run", "seed: 1\n", name="mine", version="9") as run:
        assert (run.name, run.version, run.config, run.writable, run.forked_from) == (
            "mine",
            "9",
            "seed: 1\n",
            True,
            None,
        )
        assert run.checkpoint() == store.Checkpoint(
            trials=0, learned=0, position=None, open=[], jobs=[], flags={}, arrived={},
        )  # fmt: skip
    assert {path.name for path in (tmp_path / "a" / "run").iterdir()} == {
        "config.yaml", "run.db", "lock", "embeddings", "learned", "weights", "log",
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run"]


def test_the_database_is_synced_on_every_commit(run):
    assert run._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert run._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert run._connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_path_that_is_taken_is_refused_and_untouched(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("x")
    with pytest.raises(RunExistsError, match="exists already"):
        Run.create(tmp_path / "run", "", name="a", version="1")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_missing_run_is_one_sentence(tmp_path):
    for writable in (False, True):
        with pytest.raises(RunMissingError, match="there is no run at"):
            Run.open(tmp_path, writable=writable)
    assert not list(tmp_path.iterdir())


def test_a_second_writer_is_told_who_owns_the_run(run):
    with pytest.raises(RunLockedError, match=f"owned by process {os.getpid()}") as caught:
        Run.open(run.path, writable=True)
    assert caught.value.pid == os.getpid()
    code = (
        "import sys, store\n"
        "try: store.Run.open(sys.argv[1], writable=True)\nexcept store.RunLockedError as e: print(e.pid)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(os.getpid())
    assert store.is_owned(run.path)
    run.close()
    assert not store.is_owned(run.path)
    Run.open(run.path, writable=True).close()


def test_the_lock_file_alone_means_nothing(run):
    run.close()
    (run.path / "lock").write_text("1\n")  # as a killed writer leaves it, its number now another's
    Run.open(run.path, writable=True).close()


def test_an_outcome_waits_for_its_turn(run):
    run.commit(store.Delta(arrived={8: '{"reward": 1}'}))
    assert run.checkpoint().arrived == {8: '{"reward": 1}'}
    run.commit(samples.step(7))
    assert run.checkpoint().arrived == {8: '{"reward": 1}'}
    run.commit(samples.step(8))
    assert run.checkpoint().arrived == {}
    with pytest.raises(InvalidDeltaError):
        run.commit(store.Delta(arrived={99: "of no proposal"}))


def test_a_reader_sees_commits_and_cannot_make_any(run):
    with Run.open(run.path) as reader:
        assert reader.count() == 6
        run.commit(samples.step(7))
        assert reader.count() == 7
        with pytest.raises(StoreError, match="reading only"):
            reader.commit(samples.step(8))
        with pytest.raises(StoreError, match="reading only"):
            reader.embeddings.sweep()


def test_readers_need_neither_writer_nor_a_writable_directory(run, tmp_path):
    run.close()
    for path in (run.path, *run.path.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    tmp_path.chmod(0o755)
    code = (
        "import sys, os, store\nif os.getuid() == 0: os.setuid(65534)\n"
        "with store.Run.open(sys.argv[1]) as r: print(r.count())"
    )
    got = _as_nobody(code, run.path)
    assert got.stdout.strip() == "6", got.stderr


def _as_nobody(code, path):
    reachable = Path("/tmp") if os.getuid() == 0 else path.parent  # pytest's own folder is closed to others
    copy = reachable / f"nasd-test-{os.getpid()}"
    shutil.copytree(path, copy)
    try:
        return subprocess.run(
            [sys.executable, "-c", code, str(copy)], capture_output=True, text=True, check=False, cwd="/",
            env={**os.environ, "PYTHONPATH": str(Path(store.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    finally:
        for folder in (copy, *(item for item in copy.iterdir() if item.is_dir())):
            folder.chmod(0o755)
        shutil.rmtree(copy)


def test_commits_left_in_a_log_that_cannot_be_opened_are_not_passed_over(run):
    with Run.open(run.path):
        copy = run.path.parent / "copy"
        copy.mkdir()
        for name in ("run.db", "run.db-wal"):
            shutil.copyfile(run.path / name, copy / name)
    (copy / "embeddings").mkdir()
    copy.chmod(0o555)
    code = (
        "import sys, os, store\nif os.getuid() == 0: os.setuid(65534)\n"
        "try: store.Run.open(sys.argv[1])\nexcept store.DiskError as e: print(e)"
    )
    assert "still holds commits" in _as_nobody(code, copy).stdout
    copy.chmod(0o755)


def test_importing_and_reading_loads_no_heavy_library(run):
    code = (
        "import sys, store\nwith store.Run.open(sys.argv[1]) as r: r.trials(limit=5); r.count(); r.best(3); r.flags()\n"
        "print(sorted({'numpy', 'zarr', 'pandas', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (b"", "not the database of a run|damaged"),
        (b"not a database at all, but long enough to be looked at" * 100, "damaged"),
        (b"SQLite format 3\x00" + b"\x00" * 4000, "damaged"),
    ],
)
def test_a_damaged_database_is_one_sentence(run, damage, expected, writable):
    run.close()
    (run.path / "run.db").write_bytes(damage)
    with pytest.raises(DamagedError, match=expected) as caught:
        Run.open(run.path, writable=writable)
    assert "run.db" in str(caught.value)
    assert "\n" not in str(caught.value)
    if writable:
        with pytest.raises(DamagedError):  # not RunLockedError: the lock was given back
            Run.open(run.path, writable=True)


def test_damage_in_the_middle_is_one_sentence(run):
    for number in range(7, 200):
        run.commit(samples.step(number))
    run.close()
    file = run.path / "run.db"
    data = bytearray(file.read_bytes())
    data[4096 * 3 :] = os.urandom(len(data) - 4096 * 3)
    file.write_bytes(data)
    with pytest.raises(DamagedError, match="damaged"), Run.open(run.path) as damaged:
        damaged.checkpoint()


def test_another_programs_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "run.db") as other:
        other.execute("CREATE TABLE trial (number)")
    with pytest.raises(DamagedError, match="not the database of a run"):
        Run.open(tmp_path)
