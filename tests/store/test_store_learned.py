"""What was learned: payloads with and without a trial, and the files that they refer to."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import store
from store import DamagedError, Delta, DiskError, InvalidDeltaError, Learned, Run, StoreError, snapshot, soundness, wal
from tests.helpers import store_samples as samples


@pytest.fixture
def run(tmp_path):
    """Two thoughts before the first trial, a trial that taught nothing, a thought with a file, a trial with a file."""
    with samples.create(tmp_path / "run") as made:
        made.commit(Delta(learned=Learned(b"first")))
        made.commit(Delta(learned=Learned(b"second"), position={"thought": 2}))
        made.commit(samples.step(1))
        made.commit(samples.step(2, learned=None))
        made.commit(Delta(learned=Learned(b"third", (samples.adopt(made, "b.bin"), samples.adopt(made, "a.bin")))))
        made.commit(samples.step(3, learned=samples.learned(3, samples.adopt(made, "c.bin", b"c"))))
        yield made


def steps(found):
    return [(step.trial and step.trial.number, step.learned and step.learned.payload) for step in found]


ALL = [
    (None, b"first"), (None, b"second"), (1, samples.payload(1)), (2, None), (None, b"third"), (3, samples.payload(3)),
]  # fmt: skip


def test_payloads_come_back_in_the_order_committed(run):
    assert list(run.learned()) == [payload for _, payload in ALL if payload is not None]
    assert steps(run.steps()) == ALL
    assert [trial.number for trial in run.observed()] == [1, 2, 3]
    assert soundness.check(run) == []


def test_steps_of_a_part(run):
    assert steps(run.steps(last=0)) == ALL[:2]
    assert steps(run.steps(last=2)) == ALL[:5]
    assert steps(run.steps(2, 2)) == ALL[3:5]
    assert steps(run.steps(3)) == ALL[5:]
    newest = run.checkpoint().learned
    run.commit(Delta(learned=Learned(b"later")))
    assert steps(run.steps(newest=newest)) == ALL
    assert steps(run.steps()) == [*ALL, (None, b"later")]


def test_a_step_names_its_files_in_their_order(run):
    named = [[file.name for file in step.learned.files] for step in run.steps() if step.learned]
    assert named == [[], [], [], ["b.bin", "a.bin"], ["c.bin"]]


def test_many_are_read_in_blocks(run, monkeypatch):
    monkeypatch.setattr(store.reader, "_BLOCK", 2)
    assert list(run.learned()) == [payload for _, payload in ALL if payload is not None]
    assert steps(run.steps()) == ALL
    assert [trial.number for trial in run.observed(2)] == [2, 3]


# --- files ---------------------------------------------------------------------------------------------------------


def test_an_adopted_file_is_kept_once_it_is_committed(run):
    adopted = samples.adopt(run, "d.bin", b"weights")
    assert run.files.path("d.bin").read_bytes() == b"weights"
    run.commit(Delta(learned=Learned(b"", (adopted,))))
    left = samples.stage_file(run, b"not finished")
    samples.adopt(run, "never-committed.bin")
    run.close()
    with Run.open(run.path, writable=True) as again:
        assert sorted(path.name for path in again.files.folder.iterdir()) == ["a.bin", "b.bin", "c.bin", "d.bin"]
        assert not left.exists()
        again.files.check("d.bin")


def test_a_name_is_used_once(run):
    with pytest.raises(StoreError, match=r"c\.bin exists already; choose another name"):
        samples.adopt(run, "c.bin")
    run.commit(Delta(dropped_files=("c.bin",)))
    again = samples.adopt(run, "c.bin")
    with pytest.raises(InvalidDeltaError, match="came with an earlier commit; use a new name"):
        run.commit(Delta(learned=Learned(b"", (again,))))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".tmp-x", "a\n", "x" * 200, "a b"])
def test_a_name_is_a_plain_one(run, name):
    with pytest.raises(StoreError, match="cannot name a learned file"):
        samples.adopt(run, name)


def test_a_staged_file_that_is_gone_is_one_sentence(run):
    with pytest.raises(DiskError, match=r"could not keep a learned file in .*no such file"):
        run.files.adopt(run.files.folder / ".tmp-gone", "d.bin")


def test_a_dropped_file_goes_after_its_commit(run):
    run.commit(Delta(dropped_files=("a.bin", "c.bin")))
    assert [path.name for path in run.files.folder.iterdir()] == ["b.bin"]
    assert list(run.files.referred_to()) == ["b.bin"]
    assert [file.name for step in run.steps() if step.learned for file in step.learned.files] == [
        "b.bin", "a.bin", "c.bin",
    ]  # fmt: skip
    assert soundness.check(run) == []
    with pytest.raises(InvalidDeltaError, match=r"no learned file 'a\.bin'"):
        run.commit(Delta(dropped_files=("a.bin",)))


def test_a_reader_changes_nothing(run):
    with Run.open(run.path) as reader:
        reader.files.check("a.bin")
        for change in (reader.files.sweep, lambda: samples.adopt(reader, "x"), lambda: reader.files.remove("a.bin")):
            with pytest.raises(StoreError, match="reading only"):
                change()


def test_files_dropped_by_commits_that_were_lost_are_forgotten(run, tmp_path):
    run.sync()
    shutil.copy(run.path / "run.db", tmp_path / "before")
    run.commit(Delta(dropped_files=("a.bin",)))
    run.close()
    shutil.copy(tmp_path / "before", run.path / "run.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wal, "lost", lambda _: wal.Loss(1, 1))
        Run.open(run.path, writable=True).close()
    with Run.open(run.path) as reader:
        assert list(reader.files.referred_to()) == ["b.bin", "c.bin"]
        assert soundness.check(reader) == []


# --- checked -------------------------------------------------------------------------------------------------------


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_in_a_file_is_found(run):
    flip(run.files.path("a.bin"), 100)
    with pytest.raises(DamagedError, match=r"a\.bin is not what was committed"):
        run.files.check("a.bin")
    run.files.path("c.bin").unlink()
    samples.adopt(run, "x.bin")
    found = {problem.where: problem.what for problem in soundness.check(run)}
    assert set(found) == {"learned/a.bin", "learned/c.bin", "learned/x.bin"}
    assert "not what was committed" in found["learned/a.bin"]
    assert "is missing" in found["learned/c.bin"]
    assert "nothing refers to it" in found["learned/x.bin"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE learned SET payload = x'6669727375' WHERE id = 1", "before the first trial"),
        ("UPDATE learned SET payload = zeroblob(5) WHERE id = 4", "observed as number 2"),
        ("UPDATE learned SET number = NULL WHERE id = 3", "observed as number 1"),
        ("DELETE FROM learned WHERE id = 2", "before the first trial"),
        ("UPDATE seal SET learned = x'00' WHERE ordinal = 3", "observed as number 3"),
        ("UPDATE blob SET sha256 = 'x' WHERE name = 'a.bin'", "observed as number 2"),
        ("UPDATE blob SET learned = 3 WHERE name = 'a.bin'", "observed as number 1"),
        ("DELETE FROM blob WHERE name = 'c.bin'", "observed as number 3"),
        ("UPDATE blob SET kept = 0 WHERE name = 'c.bin'", "table of learned files"),
    ],
)
def test_what_was_learned_does_not_change_unnoticed(run, change, message):
    run.close()
    with sqlite3.connect(run.path / "run.db") as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(DamagedError, match=message):
        Run.open(run.path, writable=True)
    with Run.open(run.path) as reader:
        assert soundness.check(reader)


@pytest.mark.parametrize("name", ["../config.yaml", ".hidden", "a/b"])
def test_a_strangers_name_leads_nowhere(run, name):
    run.close()
    with sqlite3.connect(run.path / "run.db") as connection:
        connection.execute("UPDATE blob SET name = ? WHERE name = 'a.bin'", (name,))
    connection.close()
    with Run.open(run.path) as reader, pytest.raises(DamagedError, match="do not use it"):
        reader.files.referred_to()


def test_the_digest_knows_files_and_thoughts(tmp_path):
    def digest(name, *deltas):
        with samples.create(tmp_path / name, 2) as run:
            for content in (b"a", b"b"):
                samples.adopt(run, content.decode(), content)
            for delta in deltas:
                run.commit(delta)
            return soundness.digest(run)

    def file(name, content):
        with samples.create(tmp_path / f"of-{name}-{content}") as run:
            return samples.adopt(run, name, content)

    a, b, other = file("a", b"a"), file("b", b"b"), file("a", b"other")
    thought = Delta(learned=Learned(b"x", (a,)))
    plain = digest("plain", thought)
    assert digest("same", thought) == plain
    assert digest("dropped", thought, Delta(dropped_files=("a",))) == plain
    different = [
        digest("none"),
        digest("payload", Delta(learned=Learned(b"y", (a,)))),
        digest("no file", Delta(learned=Learned(b"x"))),
        digest("other file", Delta(learned=Learned(b"x", (b,)))),
        digest("content", Delta(learned=Learned(b"x", (other,)))),
        digest("twice", thought, Delta(learned=Learned(b"x"))),
    ]
    assert plain not in different
    assert len(set(different)) == len(different)


# --- forks and snapshots -------------------------------------------------------------------------------------------


def test_a_fork_takes_what_was_learned_by_then(run, tmp_path):
    for at, kept in ((0, []), (1, []), (2, ["a.bin", "b.bin"]), (3, ["a.bin", "b.bin", "c.bin"])):
        with run.fork(tmp_path / str(at), at=at, name="fork", version="1") as fork:
            assert soundness.check(fork) == []
            assert steps(fork.steps()) == steps(run.steps(last=at))
            assert sorted(path.name for path in fork.files.folder.iterdir()) == kept
    run.commit(Delta(dropped_files=("a.bin",)))  # the fork has its own name of it
    with Run.open(tmp_path / "3", writable=True) as fork:
        fork.files.check("a.bin")
    with run.fork(tmp_path / "after", at=3, name="fork", version="1") as fork:
        assert sorted(fork.files.referred_to()) == ["b.bin", "c.bin"]
        assert soundness.check(fork) == []


def test_a_snapshot_takes_files_along(run, tmp_path):
    run.commit(Delta(dropped_files=("b.bin",)))
    snapshot.write(run.path, tmp_path / "run.tar")
    made = snapshot.restore(tmp_path / "run.tar", tmp_path / "home", lambda config: ("sample", config))
    with Run.open(made, writable=True) as restored:
        assert soundness.check(restored) == []
        assert soundness.digest(restored) == soundness.digest(run)
        assert sorted(restored.files.referred_to()) == ["a.bin", "c.bin"]
        assert restored.files.path("c.bin").read_bytes() == b"c"


def test_a_snapshot_with_a_damaged_file_is_refused(run, tmp_path):
    flip(run.files.path("a.bin"), 5)
    snapshot.write(run.path, tmp_path / "run.tar")
    with pytest.raises(DamagedError, match=r"learned/a\.bin"):
        snapshot.restore(tmp_path / "run.tar", tmp_path / "home", lambda config: ("sample", config))


def test_a_file_that_goes_during_a_snapshot(run, tmp_path, monkeypatch):
    link, dropped = snapshot.files.link, []

    def drop_first(source, target):
        if not dropped:
            dropped.append(source.name)
            run.commit(Delta(dropped_files=("a.bin",)))
        link(source, target)

    monkeypatch.setattr(snapshot.files, "link", drop_first)
    snapshot.write(run.path, tmp_path / "run.tar")
    made = snapshot.restore(tmp_path / "run.tar", tmp_path / "home", lambda config: ("sample", config))
    with Run.open(made) as restored:
        assert sorted(restored.files.referred_to()) == ["b.bin", "c.bin"]


# --- kills ---------------------------------------------------------------------------------------------------------

# Adopts a file, commits it and drops the one before; killed at one system call after the other.
ADOPTING = """
import os, sys
from tests.helpers import store_samples as samples
from store import Delta, Learned, Run
run = Run.open(sys.argv[1], writable=True)
number = run.checkpoint().learned
os.path.exists("/begin")
old = tuple(run.files.referred_to())
learned = Learned(b"%d" % number, (samples.adopt(run, f"{number}.bin", b"x" * 9000),))
run.commit(Delta(learned=learned, dropped_files=old))
"""


def traced(path, *options):
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", str(path.parent / "strace"), *options, sys.executable, "-c", ADOPTING, str(path)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("call", ["fsync", "fdatasync", "rename", "unlink", "pwrite64", "write"])
def test_a_kill_at_any_call_leaves_a_whole_run(tmp_path, call):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    path = tmp_path / "run"
    with samples.create(path, 1) as run:
        run.commit(Delta(learned=Learned(b"0", (samples.adopt(run, "0.bin"),))))
    done = traced(path, "-e", f"trace={call},stat,newfstatat", "-y")
    if "ptrace" in done.stderr.lower() and done.returncode:
        pytest.skip("this machine does not let strace look")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "strace").read_text(errors="replace").splitlines()
    begun = next(place for place, line in enumerate(lines) if '"/begin"' in line)
    names = [line.split(maxsplit=1)[1].split("(")[0] for line in lines]
    before, total = names[:begun].count(call), names.count(call)
    killed = 0
    for number in range(before + 1, total + 1, max(1, (total - before) // 8)):
        done = traced(path, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
        killed += done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        with Run.open(path) as reader:
            assert {p.where.split("/")[0] for p in soundness.check(reader)} <= {"learned"}  # what is swept
            payloads = len(list(reader.learned()))
        with Run.open(path, writable=True) as run:
            assert soundness.check(run) == []
            assert run.checkpoint().learned == payloads
            assert [path.name for path in run.files.folder.iterdir()] == list(run.files.referred_to())
            assert len(run.files.referred_to()) == 1
    assert killed or total == before
