"""Checking, comparing and forking runs."""

import sqlite3

import pytest

from store import Delta, Job, Run, StoreError, soundness
from tests.helpers import store_samples as samples

TRIALS = 8


@pytest.fixture
def run(tmp_path):
    with samples.create(tmp_path / "run", TRIALS) as made:
        yield made


def tampered(run, statement):
    """The problems that are found after somebody changed the database behind our back."""
    run.close()
    with sqlite3.connect(run.path / "run.db") as connection:
        connection.execute(statement)
    connection.close()
    with Run.open(run.path) as reader:
        return " | ".join(f"{problem.where}: {problem.what}" for problem in soundness.check(reader))


def test_a_good_run_has_no_problems(run):
    assert soundness.check(run) == []
    with Run.open(run.path) as reader:
        assert soundness.check(reader) == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM trial WHERE ordinal = 3", "trials are not numbered"),
        ("DELETE FROM trial WHERE ordinal = 3", "refers to a row of trial"),
        ("DELETE FROM learned WHERE id = 3", "payloads are not numbered"),
        ("DELETE FROM learned WHERE id = 8", "the trial observed as number 8, or what it changed, is not"),
        ("UPDATE learned SET payload = x'00' WHERE id = 3", "the trial observed as number 3, or what it changed"),
        ("UPDATE learned SET ordinal = 2 WHERE id = 7", "not in the order of their trials"),
        ("UPDATE learned SET ordinal = 99 WHERE id = 8", "trials that are not there"),
        ("UPDATE learned SET number = 4 WHERE id = 5", "another trial than was observed last"),
        ("UPDATE trial SET stage = 'e=0' WHERE number = 4", "the trial observed as number 4"),
        ("UPDATE trial SET facts = '{}' WHERE number = 4", "the trial observed as number 4"),
        ("UPDATE proposal SET facts = '{}' WHERE number = 4", "the trial observed as number 2"),
        ("DELETE FROM proposal WHERE number = 9", "leave a number out"),
        ("UPDATE trial SET duplicate_of = 5 WHERE number = 4", "before their original"),
        ("UPDATE trial SET embedding = '4.zarr' WHERE number = 4", "no embedding at"),
    ],
)
def test_tampering_is_found(run, statement, message):
    assert message in tampered(run, statement)


def test_a_changed_config_is_found(run):
    (run.path / "config.yaml").write_text("seed: 2\n")
    assert [problem.where for problem in soundness.check(run)] == ["config.yaml"]
    (run.path / "config.yaml").unlink()
    assert "no such file" in soundness.check(run)[0].what


def test_damage_of_the_database_is_found(tmp_path):
    with samples.create(tmp_path / "run", 200) as run:
        run.sync()
        file = run.path / "run.db"
    with file.open("r+b") as stream:
        stream.seek(30 * 4096)
        stream.write(b"\xff" * 4096 * 3)
    with Run.open(file.parent) as reader:
        assert soundness.check(reader)
        assert all(problem.where == "run.db" for problem in soundness.check(reader))


def test_damaged_and_missing_and_forgotten_embeddings_are_found(run):
    for number in (9, 10, 11):
        run.embeddings.write(f"{number}.zarr", {"train": samples.split(200)}, {})
        run.commit(samples.step(number, trial=samples.trial(number, embedding=f"{number}.zarr")))
    assert soundness.check(run) == []
    shard = run.embeddings.path / "9.zarr" / "train" / "x" / "c" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    (run.embeddings.path / "10.zarr" / "train" / "y" / "c" / "0").unlink()
    run.embeddings.write("forgotten.zarr", {}, {})
    found = {problem.where: problem.what for problem in soundness.check(run)}
    assert set(found) == {"embeddings/9.zarr", "embeddings/10.zarr", "embeddings/forgotten.zarr"}
    assert "of trial 9" in found["embeddings/9.zarr"]
    assert "is damaged" in found["embeddings/9.zarr"]
    assert "is missing" in found["embeddings/10.zarr"]
    assert "nothing refers to it" in found["embeddings/forgotten.zarr"]
    assert {problem.where for problem in soundness.check(run, embeddings=False)} == {"embeddings/forgotten.zarr"}


# --- digest --------------------------------------------------------------------------------------------------------


def digest_with(path, **changes):
    with samples.create(path, 3) as run:
        run.commit(samples.step(4, **changes))
        return soundness.digest(run)


def test_the_digest_is_of_what_is_deterministic(tmp_path):
    plain = digest_with(tmp_path / "plain")
    same = {
        "measured": {"trial": samples.trial(4, seconds=9.0, finished_at=1.0, peak_memory=5, device="cuda:0",
                                            encode_seconds=1.0, train_seconds=2.0)},
        "jobs": {"jobs": (Job(id=0, kind="embed", params={}),)},
        "flags": {"flags": {"paused": True}},
    }  # fmt: skip
    for name, changes in same.items():
        assert digest_with(tmp_path / name, **changes) == plain, name
    good = samples.trial(4)
    different = {
        "net": {"trial": samples.trial(4, net="[SM(10)]")},
        "reward": {"trial": samples.trial(4, reward=good.reward + 1e-16 if good.reward < 0.5 else good.reward - 1e-16)},
        "zero": {"trial": samples.trial(4, reward=0.0)},
        "seed": {"trial": samples.trial(4, seed=1)},
        "status": {"trial": samples.trial(4, status="early_stopped")},
        "curve": {"trial": samples.trial(4, train_accuracies=(0.5,))},
        "stage": {"trial": samples.trial(4, stage="e=0.9")},
        "facts": {"trial": samples.trial(4, facts={"epsilon": 0.9})},
        "payload": {"learned": samples.learned(5)},
        "nothing learned": {"learned": None},
        "position": {"position": {"proposed": 6, "random": 1}},
        "proposal": {"opened": (samples.proposal(6, net="[SM(10)]"),)},
        "proposal's stage": {"opened": (samples.proposal(6, stage="e=0.9"),)},
        "kind": {"opened": (samples.proposal(6, kind="infeasible"),)},
        "none opened": {"opened": ()},
    }
    digests = {name: digest_with(tmp_path / name, **changes) for name, changes in different.items()}
    assert plain not in digests.values()
    assert len(set(digests.values())) == len(digests)


# --- fork ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 5, TRIALS])
def test_a_fork_is_the_run_as_it_was(run, tmp_path, at):
    run.commit(Delta(flags={"paused": True}, jobs=(Job(id=0, kind="embed", params={}),)))
    with (
        samples.create(tmp_path / "straight", at) as straight,
        run.fork(tmp_path / "fork", at=at, name="fork", version="2") as fork,
    ):
        assert soundness.check(fork) == []
        assert fork.checkpoint() == straight.checkpoint()
        assert soundness.digest(fork) == soundness.digest(straight)
        assert fork.forked_from == {"path": str(run.path), "name": "sample", "at": at}
        assert (fork.name, fork.version, fork.config) == ("fork", "2", run.config)
        fork.commit(samples.step(at + 1))
        straight.commit(samples.step(at + 1))
        assert soundness.digest(fork) == soundness.digest(straight)
    assert run.count() == TRIALS


def test_a_fork_of_a_reader_and_of_a_fork(run, tmp_path):
    with (
        Run.open(run.path) as reader,
        reader.fork(tmp_path / "a", at=6, name="a", version="1") as first,
        first.fork(tmp_path / "b", at=4, name="b", version="1", config_yaml="seed: 2\n") as second,
    ):
        assert second.count() == 4
        assert second.config == "seed: 2\n"
        assert soundness.check(second) == []


@pytest.mark.parametrize("at", [-1, TRIALS + 1])
def test_a_fork_beyond_the_end_is_refused(run, tmp_path, at):
    with pytest.raises(StoreError, match=f"choose 0 to {TRIALS}"):
        run.fork(tmp_path / "fork", at=at, name="a", version="1")
    assert not (tmp_path / "fork").exists()


def test_a_fork_takes_its_embeddings_along(run, tmp_path):
    for number in (9, 10):
        run.embeddings.write(f"{number}.zarr", {"train": samples.split(50)}, {"trial": number})
        run.commit(samples.step(number, trial=samples.trial(number, embedding=f"{number}.zarr")))
    with run.fork(tmp_path / "fork", at=9, name="a", version="1") as fork:
        assert soundness.check(fork) == []
        assert list(fork.embeddings.kept()) == [9]
        run.commit(Delta(dropped_embeddings=(9, 10)))
        assert fork.embeddings.open(9).attributes == {"trial": 9}
        assert len(fork.embeddings.open(9).read("train").x) == 50
    with run.fork(tmp_path / "without", at=9, name="a", version="1", embeddings="none") as fork:
        assert fork.embeddings.kept() == {}
        assert soundness.check(fork) == []


def test_a_fork_of_an_async_run_has_the_proposals_of_its_time(tmp_path):
    with samples.create(tmp_path / "run") as run:
        run.commit(Delta(trial=samples.trial(2, order=1), opened=(samples.proposal(3),), position={"n": 3}))
        run.commit(Delta(trial=samples.trial(1, order=2), opened=(samples.proposal(4),), position={"n": 4}))
        with run.fork(tmp_path / "fork", at=1, name="a", version="1") as fork:
            found = fork.checkpoint()
            assert [proposal.number for proposal in found.open] == [1, 3]
            assert found.position == {"n": 3}
            assert soundness.check(fork) == []
