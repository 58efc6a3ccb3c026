"""Making, opening, committing, reading."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import store
from store import (
    DamagedError,
    Delta,
    DiskError,
    InvalidDeltaError,
    Job,
    Learned,
    LearnedFile,
    OpenProposal,
    Run,
    RunExistsError,
    RunLockedError,
    RunMissingError,
    StoreError,
)
from store import queries as store_queries
from store.soundness import check, digest
from tests.helpers import store_samples as samples


@pytest.fixture
def run(tmp_path):
    with samples.create(tmp_path / "run", 6) as made:
        yield made


# --- making and opening ------------------------------------------------------------------------------------------


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


# --- metrics -------------------------------------------------------------------------------------------------------

METRICS = {"test_accuracy": 1 / 3, "test": [{"label": "Crack", "f1": None, "accuracy": 0.1}]}


@pytest.fixture
def fresh(tmp_path):
    with samples.create(tmp_path / "fresh") as made:
        yield made


def test_metrics_come_back_exactly(fresh):
    fresh.commit(samples.step(1, trial=samples.trial(1, metrics=METRICS)))
    fresh.commit(samples.step(2))
    assert fresh.trial(1).metrics == METRICS
    assert [trial.metrics for trial in fresh.trials()] == [METRICS, None]
    assert [trial.metrics for trial in fresh.observed()] == [METRICS, None]


def test_metrics_go_into_a_fork_and_into_the_digest(fresh, tmp_path):
    for number in (1, 2):
        fresh.commit(samples.step(number, trial=samples.trial(number, metrics=METRICS)))
    with fresh.fork(tmp_path / "fork", at=1, name="fork", version="1") as fork:
        assert fork.trial(1).metrics == METRICS
        assert list(check(fork)) == []
    with samples.create(tmp_path / "without", 2) as without:
        assert digest(without) != digest(fresh)


@pytest.mark.parametrize("change", ["UPDATE metrics SET value = replace(value, '0.1', '0.9')", "DELETE FROM metrics"])
def test_metrics_do_not_change_unnoticed(fresh, change):
    fresh.commit(samples.step(1, trial=samples.trial(1, metrics=METRICS)))
    fresh.close()
    with sqlite3.connect(fresh.path / "run.db") as connection:
        connection.execute(change)
    with pytest.raises(DamagedError, match="the trial observed as number 1"):
        Run.open(fresh.path, writable=True)


# --- commits -------------------------------------------------------------------------------------------------------


def test_what_was_committed_is_the_checkpoint(run):
    found = run.checkpoint()
    assert found.trials == 6
    assert found.position == samples.step(6).position
    assert found.open == run.proposals(after=6) == [samples.proposal(7), samples.proposal(8)]
    assert run.proposals(after=0) == [samples.proposal(1), samples.proposal(2)]
    assert list(run.learned()) == [samples.payload(n) for n in range(1, 7)]


def test_trials_come_back_as_they_went_in(run):
    assert run.trials() == [samples.trial(n) for n in range(1, 7)]
    assert run.trial(7) is None
    assert list(run.observed()) == run.trials()
    assert list(run.observed(2, 4)) == run.trials()[1:4]


def test_the_seed_may_use_all_64_bits(run):
    run.commit(samples.step(7, trial=samples.trial(7, seed=2**64 - 1)))
    assert run.trial(7).seed == 2**64 - 1


def test_async_trials_are_observed_out_of_order(run):
    run.commit(Delta(trial=samples.trial(8, order=7)))
    run.commit(Delta(trial=samples.trial(7, order=8)))
    assert [trial.number for trial in run.observed(7)] == [8, 7]
    assert run.proposals(after=7) == [samples.proposal(7)]
    assert run.checkpoint().open == []


def test_an_imported_trial_needs_no_proposal(tmp_path):
    with Run.create(tmp_path / "run", "", name="a", version="1") as run:
        for number in range(1, 4):
            run.commit(Delta(trial=samples.trial(number, imported=True), learned=samples.learned(number)))
        run.commit(Delta(opened=(samples.proposal(4),)))
        assert [trial.number for trial in run.observed()] == [1, 2, 3]


BROKEN = {
    "order with a gap": (samples.step(7, trial=samples.trial(7, order=8)), "due is 7"),
    "observed before": (samples.step(7, trial=samples.trial(3, order=7)), "observed before"),
    "never proposed": (samples.step(7, trial=samples.trial(12, order=7)), "never proposed"),
    "proposal with a gap": (samples.step(7, opened=(samples.proposal(10),)), "due is 9"),
    "proposal again": (samples.step(7, opened=(samples.proposal(8),)), "due is 9"),
    "no file": (samples.step(7, learned=samples.learned(7, LearnedFile("weights", "0" * 64))), "adopt it first"),
    "no name of a file": (samples.step(7, learned=samples.learned(7, LearnedFile("../run.db", ""))), "adopt it first"),
    "no file to drop": (samples.step(7, dropped_files=("weights",)), "no learned file 'weights'"),
    "facts": (samples.step(7, trial=samples.trial(7, facts={"epsilon": float("nan")})), "cannot be stored"),
    "payload": (samples.step(7, learned=Learned("text")), "STRICT|cannot store"),
    "no embedding": (samples.step(7, trial=samples.trial(7, embedding="7.zarr")), "adopt it first"),
    "no original": (samples.step(7, trial=samples.trial(7, status="duplicate", duplicate_of=99)), "FOREIGN KEY"),
    "status": (samples.step(7, trial=samples.trial(7, status="splendid")), "CHECK"),
    "reward": (samples.step(7, trial=samples.trial(7, reward=float("nan"))), "NOT NULL"),
    "position": (samples.step(7, position={"x": object()}), "cannot be stored"),
    "position with nan": (samples.step(7, position={"x": float("nan")}), "cannot be stored"),
    "type": (samples.step(7, trial=samples.trial(7, net=object())), "cannot be stored|bind"),
    "no trial to drop from": (samples.step(7, dropped_embeddings=(99,)), "no trial 99"),
    "job": (samples.step(7, jobs=(Job(id=0, kind="embed", params={}, status="lost"),)), "CHECK"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_commit_that_contradicts_what_is_stored_changes_nothing(run, name):
    delta, message = BROKEN[name]
    before = run.checkpoint()
    with pytest.raises(InvalidDeltaError, match=message):
        run.commit(delta)
    assert run.checkpoint() == before
    assert list(run.learned()) == [samples.payload(n) for n in range(1, 7)]
    run.commit(samples.step(7))
    assert run.count() == 7


def test_flags_are_kept_until_set_again(run):
    run.commit(Delta(flags={"paused": True, "total": 2503}))
    run.commit(Delta(flags={"paused": False}))
    assert run.flags() == run.checkpoint().flags == {"paused": False, "total": 2503}


def test_jobs_are_numbered_and_replaced(run):
    ids = run.commit(Delta(jobs=tuple(Job(id=0, kind="embed", params={"trial": n}) for n in (1, 2, 3, 4, 5))))
    assert ids == (1, 2, 3, 4, 5)
    jobs = run.checkpoint().jobs
    assert [job.params for job in jobs] == [{"trial": n} for n in (1, 2, 3, 4, 5)]
    run.commit(
        Delta(
            jobs=(
                replace(jobs[0], status="done", result={"test": 0.5}, finished_at=10.0),
                replace(jobs[1], status="failed", reason="no memory", finished_at=20.0),
                replace(jobs[3], priority=5),
                replace(jobs[4], status="running", started_at=3.0),
            )
        )
    )
    assert [job.id for job in run.jobs()] == [5, 4, 3, 2, 1]
    assert [job.id for job in run.jobs(offset=1, limit=2)] == [4, 3]
    assert run.jobs()[-1].result == {"test": 0.5}
    assert run.commit(Delta(jobs=(Job(id=0, kind="retrain", params={}),))) == (6,)


def test_a_closed_run_says_so(run):
    run.close()
    run.close()
    for call in (run.checkpoint, run.trials, lambda: run.commit(samples.step(7))):
        with pytest.raises(StoreError, match="was closed"):
            call()


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    with Run.create(tmp_path / "mixed", "", name="a", version="1") as run:
        for number, (status, reward, validation, test) in enumerate(
            [
                ("evaluated", 0.5, (0.4, 0.6), 0.55),
                ("infeasible", 0.0, (), None),
                ("early_stopped", 0.1, (0.1, 0.12), None),
                ("duplicate", 0.5, (), None),
                ("evaluated", 0.9, (0.9, 0.8), 0.85),
                ("failed", 0.0, (), None),
                ("evaluated", 0.5, (0.5,), 0.5),
            ],
            1,
        ):
            made = samples.trial(
                number,
                status=status,
                reward=reward,
                validation_accuracies=validation,
                test_accuracy=test,
                counted=reward > 0,
                net=samples.net(1) if status == "duplicate" else samples.net(number),
                duplicate_of=1 if status == "duplicate" else None,
                reason="100% too_large" if status == "infeasible" else None,
                seconds=10.0 - number,
            )
            run.commit(Delta(trial=made))
        yield run


def numbers(trials):
    return [trial.number for trial in trials]


def test_sorting(mixed):
    assert numbers(mixed.trials()) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(mixed.trials(descending=True, limit=2, offset=1)) == [6, 5]
    assert numbers(mixed.trials(sort="reward", descending=True)) == [5, 7, 4, 1, 3, 6, 2]
    assert numbers(mixed.trials(sort="best_validation", descending=True))[:4] == [5, 1, 7, 3]
    assert numbers(mixed.trials(sort="test_accuracy", descending=True))[:3] == [5, 1, 7]
    assert numbers(mixed.trials(sort="seconds")) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(mixed.trials(sort="finished_at")) == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="cannot be sorted"):
        mixed.trials(sort="number; DROP TABLE trial")


def test_searching(mixed):
    assert numbers(mixed.trials(text="EARLY")) == [3]
    assert numbers(mixed.trials(text="c(1,")) == [1, 4]
    assert numbers(mixed.trials(text="0% too_l", sort="reward")) == [2]
    assert numbers(mixed.trials(text="%")) == [2]
    assert numbers(mixed.trials(text="_l")) == [2]
    assert numbers(mixed.trials(text="\\")) == []
    assert numbers(mixed.trials(text="'")) == []
    assert numbers(mixed.trials(status=("failed", "duplicate"))) == [4, 6]
    assert numbers(mixed.trials(text="c(1,", status=("duplicate",))) == [4]
    assert (mixed.count(), mixed.count("c(1,"), mixed.count("", ("failed", "duplicate"))) == (7, 2, 2)


def test_summaries(mixed):
    assert numbers(mixed.best(2)) == [5, 1]
    assert numbers(mixed.best(99)) == [5, 1, 7, 3]
    assert mixed.best(0) == []
    assert mixed.by_status() == {"evaluated": 3, "infeasible": 1, "early_stopped": 1, "duplicate": 1, "failed": 1}
    found = mixed.rewards()
    assert list(found.numbers) == [1, 3, 4, 5, 7]
    assert list(found.rewards) == [0.5, 0.1, 0.5, 0.9, 0.5]
    assert found.of_stages == ["e=1"] * 5
    assert list(mixed.rewards(after=4).numbers) == [5, 7]


@pytest.mark.parametrize("sort", ["reward", "best_validation", "test_accuracy", "seconds", "finished_at"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_page_is_chosen_from_an_index(run, sort, descending):
    direction = "DESC" if descending else "ASC"
    order = f"{sort} {direction}, number {direction}"
    plan = run._connection.execute(
        f"EXPLAIN QUERY PLAN SELECT number FROM trial ORDER BY {order} LIMIT 100 OFFSET 9"
    ).fetchall()
    assert [step[3] for step in plan] == [f"SCAN trial USING COVERING INDEX trial_{sort}"]


def test_the_sort_keys_are_the_protocols():
    protocol = pytest.importorskip("nasd.protocol")
    assert store_queries.TrialSort == protocol.TrialSort


def test_the_size_of_a_row_is_bounded(tmp_path):
    """12 KB a trial with 70 epochs and a payload of 7 KB: 500 numbers of Q-values, their values, and some more."""

    def opened(number):
        return OpenProposal(number, "x" * 200, "evaluate", stage="e=1", facts={"epsilon": 1.0})

    with Run.create(tmp_path / "run", "", name="a", version="1") as run:
        run.commit(Delta(opened=(opened(1),)))
        for number in range(1, 301):
            curve = tuple(float(n) / 70 for n in range(70))
            made = samples.trial(number, net="x" * 200, validation_accuracies=curve, train_accuracies=curve)
            learned = Learned(bytes(7000))
            run.commit(Delta(trial=made, learned=learned, opened=(opened(number + 1),), position={"state": "x" * 250}))
        run.sync()
        assert (run.path / "run.db").stat().st_size / 300 < 12_000
        assert run.size_on_disk() >= (run.path / "run.db").stat().st_size


def test_a_read_only_file_system_is_one_sentence(run):
    run._connection.execute("PRAGMA query_only = ON")  # what SQLite answers on a read-only disk
    with pytest.raises(DiskError, match="nothing was changed"):
        run.commit(samples.step(7))
    run._connection.execute("PRAGMA query_only = OFF")
    run.commit(samples.step(7))


def test_what_the_daemon_asks_besides(mixed, run):
    assert mixed.duplicates(1, limit=20) == [4]
    assert mixed.duplicates(5, limit=20) == []
    assert run.position(after=0) == samples.beginning().position
    assert run.position(after=4) == samples.step(4).position
    assert run.position(after=99) is None
    assert run.sync() == 6
    assert not (run.path / "run.db-wal").stat().st_size
