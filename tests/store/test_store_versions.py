"""Runs of older versions: opened, brought up to date, refused. `runs/` keeps them as those versions wrote them.

`runs/version-1` and `version-3` hold made-up rows. `runs/version-N-search` (of 4 just `version-4`) were killed in the
middle of the same search with four proposals in flight, of which three had been evaluated; `runs/version-N-end` is what
the version that wrote it made of a copy in the end, which is one and the same for 2, 3 and 4.
"""

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import store
from nasd.runs import tables
from store import DamagedError, NewerRunError, OlderRunError, Run, StoreError, schema
from store.migrations import script
from store.soundness import check
from tests.helpers import store_samples as samples
from tests.helpers.nasd_harness import Process, short_folder, sound

RUNS = Path(__file__).parent / "runs"
LAYER_TYPES = ("start", "conv", "wrn", "max_pool", "spp", "fc")


@pytest.fixture(params=["version-1", "version-2-search", "version-3", "version-4"])
def old_run(request, tmp_path):
    return copied(request.param, tmp_path)


def copied(name, folder):
    run = Path(shutil.copytree(RUNS / name, folder / "old"))
    (run / "embeddings").mkdir(exist_ok=True)
    return run


def sql(run, statement):
    with sqlite3.connect(run / "run.db") as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def unpacked(payload):
    """A payload of Q-learning as (header, path, states, transitions, numbers, values)."""
    number, path, states, transitions, touched, reward = struct.unpack_from("<5id", payload)
    count = path + 9 * states + 2 * transitions + touched
    numbers = struct.unpack_from(f"<{count}i", payload, 28)
    values = struct.unpack_from(f"<{touched}d", payload, 28 + 4 * count)
    assert len(payload) == 28 + 4 * count + 8 * touched
    first, second = path + 9 * states, path + 9 * states + 2 * transitions
    rows = [numbers[at : at + 9] for at in range(path, first, 9)]
    return (
        (number, reward),
        numbers[:path],
        [(LAYER_TYPES[row[0]], *row[1:]) for row in rows],
        [numbers[at : at + 2] for at in range(first, second, 2)],
        numbers[second:],
        values,
    )


def test_an_old_run_opens_and_is_sound(old_run):
    before = sql(old_run, "SELECT number, reward, epsilon FROM trial ORDER BY ordinal")
    with Run.open(old_run, writable=True) as run:
        assert check(run) == []
        assert [(t.number, t.reward, t.facts["epsilon"]) for t in run.observed()] == before
        assert {(t.stage, t.facts["epsilon"]) for t in run.observed()} == {("e=1", 1.0)}
        found = run.checkpoint()
        assert (found.trials, found.learned) == (len(before), len(before))
        assert found.open
        assert {(p.stage, p.facts["epsilon"]) for p in found.open} <= {("e=1", 1.0), ("e=0.5", 0.5)}
    with Run.open(old_run, writable=True) as run:
        assert check(run) == []


def test_what_was_learned_is_repacked(old_run):
    """Each payload against the rows that it was made of."""
    updates = sql(
        old_run,
        "SELECT number, reward, path, q_ids, q_values, states, transitions FROM q_update JOIN trial USING (ordinal) "
        "ORDER BY ordinal",
    )
    states = [row[1:] for row in sql(old_run, "SELECT * FROM state ORDER BY id")]
    transitions = [row[1:] for row in sql(old_run, "SELECT * FROM transition ORDER BY id")]
    with Run.open(old_run, writable=True) as run:
        payloads = list(run.learned())
        assert [step.learned.payload for step in run.steps()] == payloads
    assert len(payloads) == len(updates)
    known = (0, 0)
    for payload, (number, reward, path, ids, values, *counts) in zip(payloads, updates, strict=True):
        assert unpacked(payload) == (
            (number, reward),
            struct.unpack(f"<{len(path) // 4}i", path),
            states[known[0] : counts[0]],
            transitions[known[1] : counts[1]],
            struct.unpack(f"<{len(ids) // 4}i", ids),
            struct.unpack(f"<{len(values) // 8}d", values),
        )
        known = counts


def test_an_old_run_of_samples_goes_on(tmp_path):
    for name in ("version-1", "version-3"):
        with Run.open(copied(name, tmp_path / name), writable=True) as run:
            assert run.trial(3) == samples.trial(3)
            run.commit(samples.step(5, trial=samples.trial(5, metrics={"labels": [0.5, None]})))
        with Run.open(run.path, writable=True) as run:
            assert run.trial(5).metrics == {"labels": [0.5, None]}
            assert check(run) == []


def test_a_search_is_taken_up_in_its_middle(tmp_path):
    with Run.open(copied("version-4", tmp_path), writable=True) as run:
        found = run.checkpoint()
        assert found.trials == 13
        assert [(proposal.number, proposal.kind) for proposal in found.open] == [
            (number, "evaluate") for number in (14, 15, 16, 17)
        ]
        assert sorted(found.arrived) == [15, 16, 17]
        assert (found.position["counted"], found.position["last_number"]) == (13, 17)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE trial SET reward = reward + 1e-9 WHERE ordinal = 3", "observed as number 3.*fork it at 2"),
        ("UPDATE q_update SET q_values = zeroblob(length(q_values)) WHERE ordinal = 2", "observed as number 2"),
        ("UPDATE state SET image_size = 1 WHERE id = 1", "observed as number 1"),
        ("DELETE FROM transition WHERE id = 0", "observed as number 1"),
        ("UPDATE proposal SET epsilon = 0.5 WHERE number = 4", "before the first trial|observed as number 2"),
        ("UPDATE meta SET value = 'other' WHERE key = 'name'", "table of metas"),
    ],
)
@pytest.mark.parametrize("name", ["version-3", "version-4"])
def test_what_is_not_as_committed_is_not_repacked(tmp_path, name, change, message):
    old = copied(name, tmp_path)
    with sqlite3.connect(old / "run.db") as connection:
        connection.execute(change)
    connection.close()
    for _ in range(2):  # rolled back: the second time says the same
        with pytest.raises(DamagedError, match=message):
            Run.open(old, writable=True)
    assert sql(old, "SELECT count(*) > 0, sum(epsilon) > 0 FROM trial JOIN q_update USING (ordinal)") == [(1, 1)]
    assert sql(old, "SELECT name FROM sqlite_master WHERE name IN ('learned', 'blob')") == []


def test_a_run_of_before_the_seals_is_taken_as_it_is(tmp_path):
    old = copied("version-1", tmp_path)
    with sqlite3.connect(old / "run.db") as connection:
        connection.execute("UPDATE trial SET reward = 0.25 WHERE ordinal = 3")
    connection.close()
    with Run.open(old, writable=True) as run:
        assert run.trial(3).reward == 0.25


@pytest.fixture
def next_version(monkeypatch):
    added = "ALTER TABLE trial ADD COLUMN mood TEXT; UPDATE trial SET mood = 'fine'"
    migrations = (*schema.MIGRATIONS, lambda connection, _: script.run(connection, added))
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)


def test_an_older_run_is_migrated_by_the_writer_only(old_run, next_version):
    with pytest.raises(OlderRunError, match="start the run's daemon once"):
        Run.open(old_run)
    Run.open(old_run, writable=True).close()
    with Run.open(old_run) as run, run.transaction() as connection:
        assert connection.execute("SELECT DISTINCT mood FROM trial").fetchall() == [("fine",)]
        assert schema.version(connection) == len(schema.MIGRATIONS)


def test_a_migration_that_fails_leaves_the_old_version(old_run, monkeypatch):
    def broken(connection, _):
        script.run(connection, "ALTER TABLE trial ADD COLUMN mood TEXT; UPDATE absent SET mood = 'fine'")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(StoreError, match="no such table"):
        Run.open(old_run, writable=True)
    monkeypatch.undo()
    with Run.open(old_run, writable=True) as run:
        assert check(run) == []


KILLED = """
import os, signal, sys
from store import Run, seal
def die(connection):
    os.kill(os.getpid(), signal.SIGKILL)
seal.write_all = die  # everything is repacked by then, nothing is committed
Run.open(sys.argv[1], writable=True)
"""


def test_a_kill_leaves_the_old_version(old_run):
    before = sql(old_run, "SELECT * FROM q_update")
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(old_run)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert sql(old_run, "SELECT * FROM q_update") == before
    with Run.open(old_run, writable=True) as run:
        assert check(run) == []


def test_a_newer_run_is_refused_in_one_sentence(tmp_path):
    with samples.create(tmp_path / "run", 2) as run:
        pass
    with sqlite3.connect(run.path / "run.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    for writable in (False, True):
        with pytest.raises(NewerRunError, match=r"schema version 99.*use a newer nasd"):
            Run.open(run.path, writable=writable)


@pytest.mark.parametrize("name", ["version-2-search", "version-3-search", "version-4"])
def test_it_goes_on_to_the_end_that_it_would_have_had(tmp_path, name):
    """By the code of today, with the worker of the tests: the same rows, Q-values and position, bit for bit."""
    with short_folder() as folder:
        directory = copied(name, folder)
        go_on(directory)
        with Run.open(directory) as run:
            for table in ("replay_buffer", "q_values"):
                name = f"{table.replace('_', '-')}.csv"
                tables.export(run, table, tmp_path / name)
                assert (tmp_path / name).read_bytes() == (RUNS / "version-4-end" / name).read_bytes()
            assert run.checkpoint().position == position_of("version-4-end")


def test_a_search_of_the_first_version_goes_on_with_other_seeds():
    """The draws are the same to the end. The weights of a trial are not: the first version derived a trial's seed in
    another way, which no later one knows; so rewards, and the Q-values learned of them, are others from there on.
    """
    with short_folder() as folder:
        directory = copied("version-1-search", folder)
        before = sql(directory, "SELECT number, net, reward, seed FROM trial ORDER BY ordinal")
        assert len(before) == 9
        go_on(directory)
        assert sql(directory, "SELECT number, net, reward, seed FROM trial ORDER BY ordinal")[:9] == before
        with Run.open(directory) as run:
            assert run.count() == 28
            assert run.checkpoint().position == position_of("version-1-end")


def go_on(directory):
    """To the end of the search; it must be sound then, and replay."""
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        assert daemon.end()[0] == 0
    assert sound(directory)


def position_of(name):
    return json.loads((RUNS / name / "position.json").read_text())
