"""What a commit writes, and what it refuses."""

import sqlite3
from dataclasses import replace

import pytest

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
    StoreError,
)
from store.soundness import check, digest
from tests.helpers import store_samples as samples

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
