"""Whether a run directory is what was written, and whether two runs are the same run."""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store import files, seal, wal
from store.embeddings import Embedding
from store.errors import DamagedError, StoreError, disk_errors
from store.lock import is_owned

if TYPE_CHECKING:
    from store.run import Run


SETTLE = 1.0  # seconds in which a daemon has committed, or removed, an embedding


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be."""

    where: str  # a file or folder inside the run directory
    what: str  # a sentence for a person


def check(run: "Run", *, embeddings: bool = True) -> list[Problem]:
    """Check everything that can be checked without the strategy; an empty list is a good run.

    Args:
        run: Open for reading or writing; commits go on meanwhile.
        embeddings: Also read every embedding and compare its checksums, which takes a second for some 400 MB; learned
            files are always read.

    Raises:
        DiskError: Something could not be read at all.
    """
    problems = [*_config(run), *_log(run)]
    try:
        with run.transaction() as connection:
            problems += _database(connection)
        problems += _embeddings(run, deep=embeddings)
        problems += _learned_files(run)
    except DamagedError as error:
        problems.append(Problem("run.db", str(error)))
    return problems


def _config(run: "Run") -> Iterator[Problem]:
    try:
        unchanged = run.config_is_as_created
    except StoreError as error:
        yield Problem("config.yaml", str(error))
        return
    if not unchanged:
        yield Problem("config.yaml", "it was changed after the run was created; restore what the run was created with")


def _log(run: "Run") -> Iterator[Problem]:
    with disk_errors(run.path / "run.db-wal", "read the log"):
        loss = wal.lost(run.path / "run.db-wal")
    if loss is not None:
        what = f"it is damaged at frame {loss.frame}: the last {loss.commits} commits cannot be read"
        yield Problem("run.db-wal", f"{what}; the next start goes on from before them")


# Each query gives the rows that break a rule, as a count and an example.
_RULES = (
    (
        "trials are not numbered 1, 2, 3 by order",
        "SELECT count(*), max(ordinal) FROM trial HAVING count(*) <> max(ordinal)",
    ),
    ("payloads are not numbered 1, 2, 3", "SELECT count(*), max(id) FROM learned HAVING count(*) <> max(id)"),
    (
        "proposals and trials leave a number out",
        "SELECT count(*), max(number) FROM (SELECT number FROM proposal UNION SELECT number FROM trial) "
        "HAVING count(*) <> max(number)",
    ),
    (
        "payloads are not in the order of their trials",
        "SELECT count(*), min(id) FROM (SELECT id, ordinal, lag(ordinal, 1, 0) OVER (ORDER BY id) AS before "
        "FROM learned) WHERE ordinal < before HAVING count(*) > 0",
    ),
    (
        "payloads belong to trials that are not there",
        "SELECT count(*), min(id) FROM learned WHERE ordinal > (SELECT coalesce(max(ordinal), 0) FROM trial) "
        "HAVING count(*) > 0",
    ),
    (
        "payloads belong to another trial than was observed last",
        "SELECT count(*), min(id) FROM learned LEFT JOIN trial USING (ordinal) "
        "WHERE learned.number <> trial.number HAVING count(*) > 0",
    ),
    (
        "duplicates come before their original",
        "SELECT count(*), min(copy.number) FROM trial AS copy JOIN trial AS original "
        "ON original.number = copy.duplicate_of WHERE original.ordinal >= copy.ordinal HAVING count(*) > 0",
    ),
)


def _database(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (message,) in connection.execute("PRAGMA integrity_check(20)"):
        if message != "ok":
            yield Problem("run.db", f"SQLite finds: {message}")
    for table, row, target, _ in connection.execute("PRAGMA foreign_key_check"):
        yield Problem("run.db", f"row {row} of {table} refers to a row of {target} that is not there")
    for what, query in _RULES:
        for count, example in connection.execute(query):
            yield Problem("run.db", f"{what} ({count} rows, e.g. {example})")
    for trials, what in seal.broken(connection):
        yield Problem("run.db", what if trials is None else f"{what}; a fork at {trials} is sound")


def _unreferred(run: "Run", folder: Path, referred_to: Callable[[], Collection[str]]) -> Iterator[Problem]:
    """What lies in a folder and no row refers to."""
    # In this order, so that what is committed meanwhile is not taken for something that nothing refers to.
    unreferred = set(files.names(folder)) - set(referred_to())
    if unreferred and is_owned(run.path):  # it may be about to be referred to, or to be removed
        time.sleep(SETTLE)
        unreferred &= set(files.names(folder))
        unreferred -= set(referred_to())
    for name in sorted(unreferred):
        unfinished = name.startswith(files.TEMPORARY)
        if unfinished and is_owned(run.path):
            continue  # a worker is writing it
        what = "it was not finished" if unfinished else "nothing refers to it"
        yield Problem(f"{folder.name}/{name}", f"{what}; the next start of the daemon removes it")


def _learned_files(run: "Run") -> Iterator[Problem]:
    kept = run.files.referred_to()
    yield from _unreferred(run, run.files.folder, run.files.referred_to)
    for name in kept:
        try:
            run.files.check(name)
        except StoreError as error:
            if name in run.files.referred_to():  # not dropped meanwhile
                yield Problem(f"{run.files.folder.name}/{name}", str(error))


def _embeddings(run: "Run", *, deep: bool) -> Iterator[Problem]:
    kept = run.embeddings.referred_to()
    found = set(files.names(run.embeddings.path))
    yield from _unreferred(run, run.embeddings.path, run.embeddings.referred_to)
    for name, (number, _) in kept.items():
        try:
            faults = list(Embedding(run.embeddings.path / name).check()) if deep or name not in found else []
        except StoreError as error:
            faults = [str(error)]
        if faults and number in {trial for trial, _ in run.embeddings.referred_to().values()}:  # not dropped meanwhile
            for fault in faults:
                yield Problem(f"embeddings/{name}", f"of trial {number}: {fault}")


_DIGESTED = (
    # Seeds, results and what the search made of them; not what was measured, nor jobs, flags and what is kept.
    "SELECT number, ordinal, net, status, reward, counted, duplicate_of, reason, seed, best_validation, "
    "test_accuracy, embedding_dim, micro_batch, imported, stage, facts FROM trial ORDER BY ordinal",
    "SELECT number, validation, train FROM curves ORDER BY number",
    "SELECT number, value FROM metrics ORDER BY number",
    "SELECT * FROM learned ORDER BY id",
    "SELECT learned, name, sha256 FROM blob ORDER BY rowid",
    "SELECT number, net, kind, reason, stage, facts FROM proposal ORDER BY number",
    "SELECT after, value FROM position ORDER BY after",
)


def digest(run: "Run") -> str:
    """Hash all that is a function of (config, seed): equal for two runs that are the same bit for bit.

    Left out is what was measured (times, memory, device), and what people did (jobs, flags, dropped embeddings
    and files).

    Raises:
        StoreError: The database cannot be read.
    """
    total = hashlib.sha256()
    with run.transaction() as connection:
        for number, query in enumerate(_DIGESTED):
            total.update(f"{number}\n".encode())
            for row in connection.execute(query):
                # repr gives floats exactly, and tells 0 from 0.0, -0.0 and None.
                total.update(repr(row).encode())
    return total.hexdigest()
