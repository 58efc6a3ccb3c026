"""Every file of a run, cut at its pages and with flipped bits: named by `verify`; resumed from what is sound, or
refused in a sentence. Never a traceback, never another number.
"""

import asyncio
import random
import shutil
import sqlite3
from dataclasses import dataclass, replace

import numpy as np
import pytest

from nasd.daemon.daemon import Daemon
from nasd.errors import NasdError
from nasd.runs.verify import examine
from store import Run, StoreError
from store.embeddings import Embedding
from tests.helpers.nasd_harness import STUB, living, make, rows, short_folder, sound, tell

PAGE = 4096
KEPT = ("run.db", "run.db-wal", "config.yaml", "embeddings")


@dataclass
class Original:
    """A run, as it lies there while its daemon lives (the log holds the commits) and after it ended (it does not)."""

    live: object
    ended: object
    rows: list
    updates: list
    positions: dict
    embeddings: dict


@pytest.fixture(scope="module")
def original():
    with short_folder() as home:
        directory = make(home, 14, store={"keep_embeddings": 2}, search={"lookahead": 2})
        tell(directory, embed=10)

        async def search():
            async with living(directory) as live:
                await live.state("finished")
                copy(directory, home / "live")

        asyncio.run(search())
        with Run.open(directory) as run:
            updates = updates_of(run)
            yield Original(
                home / "live",
                directory,
                rows(directory),
                updates,
                {n: run.position(n) for n in range(len(updates) + 1)},
                {name: read(directory / "embeddings" / name) for name in run.embeddings.referred_to()},
            )


@pytest.fixture
def place():
    with short_folder() as home:
        yield home / "run"


def copy(source, target):
    target.mkdir()
    (target / "log").mkdir()
    for name in KEPT:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, target / name)
        elif path.exists():
            shutil.copyfile(path, target / name)


def updates_of(run):
    """Trials and what they changed; embeddings come and go."""
    return [(step.trial and replace(step.trial, embedding=None), step.learned) for step in run.steps()]


def read(folder):
    embedding = Embedding(folder)
    return {name: embedding.read(name) for name in embedding.splits}


def judge(original, directory, *, all_trials):
    """What verify and a start make of it: (what is wrong, the sentence of a refusal or None)."""
    try:
        with Run.open(directory) as run:
            wrong = [f"{problem.where}: {problem.what}" for problem in examine(run).problems]
    except (StoreError, NasdError) as error:
        wrong = [str(error)]
    try:
        daemon = Daemon(directory, worker_command=STUB)
    except (StoreError, NasdError) as error:
        return wrong, str(error)
    daemon.run.close()
    with Run.open(directory) as run:
        trials = run.count()
        assert updates_of(run) == original.updates[:trials]
        assert run.position(trials) == original.positions[trials] or trials == 0  # nothing was ever proposed
    assert trials == len(original.rows) or not all_trials
    sound(directory) if not wrong else None
    return wrong, None


def places(size, count, seed):
    draw = random.Random(seed)
    return sorted(draw.sample(range(size), min(count, size)))


def flip(path, at, bit):
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


def flips(original, place, source, name, count):
    draw = random.Random(name)
    for at in places((source / name).stat().st_size, count, seed=name):
        shutil.rmtree(place, ignore_errors=True)
        copy(source, place)
        flip(place / name, at, draw.randrange(8))
        yield at, judge(original, place, all_trials=name != "run.db-wal")


def cuts(original, place, source, name, count):
    size = (source / name).stat().st_size
    boundaries = sorted({*range(0, size, PAGE)} | {at - 1 for at in range(PAGE, size, PAGE)} | {size - 1})
    for at in sorted(random.Random(name).sample(boundaries, min(count, len(boundaries)))):
        shutil.rmtree(place, ignore_errors=True)
        copy(source, place)
        with (place / name).open("r+b") as file:
            file.truncate(at)
        yield at, judge(original, place, all_trials=name != "run.db-wal")


@pytest.fixture(params=[pytest.param(25, id="some"), pytest.param(1000, id="many", marks=pytest.mark.slow)])
def count(request):
    return request.param


@pytest.mark.timeout(1200)
class TestDatabase:
    def test_flipped_bits(self, original, place, count):
        for at, (wrong, refused) in flips(original, place, original.ended, "run.db", count):
            assert bool(wrong) == bool(refused), (at, wrong, refused)

    def test_a_text_that_is_none(self, original, place):
        for table, column in (("trial", "net"), ("trial", "reason"), ("position", "value"), ("meta", "value")):
            shutil.rmtree(place, ignore_errors=True)
            copy(original.ended, place)
            with sqlite3.connect(place / "run.db", isolation_level=None) as connection:
                connection.execute(f"UPDATE {table} SET {column} = CAST(x'a0ff' AS TEXT)")
            connection.close()
            wrong, refused = judge(original, place, all_trials=True)
            assert wrong
            assert "damaged" in refused

    def test_cut(self, original, place, count):
        for at, (wrong, refused) in cuts(original, place, original.ended, "run.db", count):
            assert wrong, at
            assert refused, at

    def test_every_value_of_a_row_is_sealed(self, original, place):
        """Flips that hit no value prove nothing: change each column of a trial behind the store's back."""
        for table, key in (("trial", "ordinal"), ("learned", "ordinal"), ("position", "after"), ("flag", "rowid")):
            with sqlite3.connect(original.ended / "run.db") as connection:
                columns = [row[1:3] for row in connection.execute(f"PRAGMA table_info({table})")]
            connection.close()
            for column, kind in columns:
                shutil.rmtree(place, ignore_errors=True)
                copy(original.ended, place)
                value = {"TEXT": f"coalesce({column}, '') || 'x'", "BLOB": "zeroblob(4)"}.get(
                    kind, f"coalesce({column}, 0) + 1"
                )
                where = "" if table == "flag" else f"WHERE {key} = (SELECT max({key}) FROM {table})"
                with sqlite3.connect(place / "run.db", isolation_level=None) as connection:
                    connection.execute("PRAGMA ignore_check_constraints = ON")
                    connection.execute(f"UPDATE {table} SET {column} = {value} {where}")
                connection.close()
                wrong, refused = judge(original, place, all_trials=True)
                assert wrong, (table, column)
                assert refused, (table, column)

    def test_a_fork_saves_what_is_sound(self, original, place):
        copy(original.ended, place)
        with sqlite3.connect(place / "run.db") as connection:
            connection.execute("UPDATE trial SET reward = reward + 1e-9 WHERE ordinal = 7")
        connection.close()
        wrong, refused = judge(original, place, all_trials=True)
        assert "the trial observed as number 7" in refused
        assert "fork it at 6" in refused
        assert any("a fork at 6 is sound" in problem for problem in wrong)
        with Run.open(place) as run:
            run.fork(place.parent / "fork", at=6, name="stub", version="1").close()
            with pytest.raises(StoreError, match="is not what was committed"):
                run.fork(place.parent / "all", at=8, name="stub", version="1")
        assert not (place.parent / "all").exists()
        assert judge(original, place.parent / "fork", all_trials=False) == ([], None)


@pytest.mark.timeout(1200)
class TestLog:
    def test_flipped_bits(self, original, place, count):
        """A start goes on from the last commit that can be read; the ones behind it are said to be lost."""
        lost = 0
        for at, (wrong, refused) in flips(original, place, original.live, "run.db-wal", count):
            lost += any("run.db-wal: it is damaged at frame" in problem for problem in wrong)
            assert wrong, at
            assert refused is None or "damaged" in refused or "not the database of a run" in refused
        assert lost > count // 2

    def test_cut(self, original, place, count):
        """As if the power had gone before: what is left are whole commits, or nothing that was ever a run."""
        resumed = 0
        for _, (_, refused) in cuts(original, place, original.live, "run.db-wal", count):
            resumed += refused is None
        assert resumed > count // 2

    async def test_the_daemon_says_what_it_dropped_and_does_it_again(self, original, place):
        copy(original.live, place)
        size = (place / "run.db-wal").stat().st_size
        flip(place / "run.db-wal", size * 2 // 3, 3)
        async with living(place) as live:
            assert live.trials < len(original.rows)
            await live.state("finished")
        assert "commits could not be read" in (place / "log" / "daemon.jsonl").read_text()
        assert [row | {"embedding": None} for row in rows(place)] == [
            row | {"embedding": None} for row in original.rows
        ]
        sound(place)


@pytest.mark.timeout(1200)
class TestFiles:
    def test_config(self, original, place, count):
        for at, (wrong, refused) in flips(original, place, original.ended, "config.yaml", count):
            assert wrong, at
            assert refused, at
        for at, (wrong, refused) in cuts(original, place, original.ended, "config.yaml", 5):
            assert wrong, at
            assert refused, at

    def test_embeddings(self, original, place, count):
        files = [
            path.relative_to(original.ended) for path in (original.ended / "embeddings").rglob("*") if path.is_file()
        ]
        draw = random.Random(5)
        for name in draw.choices(files, k=count):
            shutil.rmtree(place, ignore_errors=True)
            copy(original.ended, place)
            path, cut = place / name, draw.random() < 0.3
            size = path.stat().st_size
            if cut:
                with path.open("r+b") as file:
                    file.truncate(0 if draw.random() < 0.3 else draw.randrange(size))
            else:
                flip(path, draw.randrange(size), draw.randrange(8))
            wrong, refused = judge(original, place, all_trials=True)
            assert refused is None  # the search does not need them
            if not wrong:
                found = read(place / "embeddings" / name.parts[1])
                for split, kept in original.embeddings[name.parts[1]].items():
                    for part in ("x", "y", "index"):
                        assert np.array_equal(getattr(found[split], part), getattr(kept, part)), name
            else:
                assert any(str(name.parts[1]) in problem for problem in wrong)
