"""Whether a run directory is what was written, and whether two runs are the same run."""

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
        embeddings: Also read every embedding and compare its checksums, which takes a second for some 400 MB.

    Raises:
        DiskError: Something could not be read at all.
    """
    problems = [*_config(run), *_log(run)]
    try:
        with run.transaction() as connection:
            problems += _database(connection)
        problems += _folders(run, deep=embeddings)
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
    ("states are not numbered 0, 1, 2", "SELECT count(*), max(id) FROM state HAVING count(*) <> max(id) + 1"),
    ("transitions are not numbered 0, 1, 2", "SELECT count(*), max(id) FROM transition HAVING count(*) <> max(id) + 1"),
    (
        "proposals and trials leave a number out",
        "SELECT count(*), max(number) FROM (SELECT number FROM proposal UNION SELECT number FROM trial) "
        "HAVING count(*) <> max(number)",
    ),
    (
        "trials lack their update",
        "SELECT count(*), min(ordinal) FROM trial WHERE ordinal NOT IN (SELECT ordinal FROM q_update) "
        "HAVING count(*) > 0",
    ),
    (
        "updates have blobs whose lengths do not fit together",
        "SELECT count(*), min(ordinal) FROM q_update WHERE length(q_ids) * 2 <> length(q_values) "
        "OR length(q_ids) % 4 <> 0 OR length(path) % 4 <> 0 HAVING count(*) > 0",
    ),
    (
        "updates count fewer states or transitions than the one before",
        "SELECT count(*), min(ordinal) FROM (SELECT ordinal, states - lag(states, 1, 0) OVER rows AS s, "
        "transitions - lag(transitions, 1, 0) OVER rows AS t FROM q_update WINDOW rows AS (ORDER BY ordinal)) "
        "WHERE s < 0 OR t < 0 HAVING count(*) > 0",
    ),
    (
        "the last update counts other states or transitions than there are",
        "SELECT 1, ordinal FROM q_update WHERE ordinal = (SELECT max(ordinal) FROM q_update) "
        "AND (states <> (SELECT count(*) FROM state) OR transitions <> (SELECT count(*) FROM transition))",
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
    yield from _q_ids(connection)
    for trials, what in seal.broken(connection):
        yield Problem("run.db", what if trials is None else f"{what}; a fork at {trials} is sound")


def _q_ids(connection: sqlite3.Connection) -> Iterator[Problem]:
    import numpy as np  # noqa: PLC0415

    before = 0
    for order, path, ids, transitions in connection.execute(
        "SELECT ordinal, path, q_ids, transitions FROM q_update ORDER BY ordinal"
    ):
        if len(path) % 4 or len(ids) % 4:
            continue  # said above
        touched, row = np.frombuffer(ids, "<i4"), np.frombuffer(path, "<i4")
        named = np.concatenate([touched, row])
        if named.size and not 0 <= named.min() <= named.max() < transitions:
            yield Problem("run.db", f"the trial observed as number {order} names a transition that does not exist")
        if np.count_nonzero(np.unique(touched) >= before) != transitions - before:
            yield Problem("run.db", f"the trial observed as number {order} numbers a transition without its Q-value")
        before = transitions


def _folders(run: "Run", *, deep: bool) -> Iterator[Problem]:
    kept = run.embeddings.referred_to()
    # In this order, so that an embedding that is committed meanwhile is not taken for one that nothing refers to.
    found = set(files.names(run.embeddings.path))
    unreferred = found - set(kept) - set(run.embeddings.referred_to())
    if unreferred and is_owned(run.path):  # it may be about to be referred to, or to be removed
        time.sleep(SETTLE)
        unreferred &= set(files.names(run.path / "embeddings")) - set(run.embeddings.referred_to())
    for name in sorted(unreferred):
        unfinished = name.startswith(files.TEMPORARY)
        if unfinished and is_owned(run.path):
            continue  # a worker is writing it
        what = "it was not finished" if unfinished else "no trial refers to it"
        yield Problem(f"embeddings/{name}", f"{what}; the next start of the daemon removes it")
    for name, (number, _) in kept.items():
        try:
            faults = list(Embedding(run.embeddings.path / name).check()) if deep or name not in found else []
        except StoreError as error:
            faults = [str(error)]
        if faults and number in {trial for trial, _ in run.embeddings.referred_to().values()}:  # not dropped meanwhile
            for fault in faults:
                yield Problem(f"embeddings/{name}", f"of trial {number}: {fault}")


_DIGESTED = (
    # Seeds, results and what the search made of them; not what was measured, nor jobs, flags and kept embeddings.
    "SELECT number, ordinal, net, status, epsilon, reward, counted, duplicate_of, reason, seed, best_validation, "
    "test_accuracy, embedding_dim, micro_batch, imported FROM trial ORDER BY ordinal",
    "SELECT number, validation, train FROM curves ORDER BY number",
    "SELECT number, value FROM metrics ORDER BY number",
    "SELECT * FROM state ORDER BY id",
    "SELECT * FROM transition ORDER BY id",
    "SELECT * FROM q_update ORDER BY ordinal",
    "SELECT number, net, epsilon, kind, reason FROM proposal ORDER BY number",
    "SELECT after, value FROM position ORDER BY after",
)


def digest(run: "Run") -> str:
    """Hash all that is a function of (config, seed): equal for two runs that are the same bit for bit.

    Left out is what was measured (times, memory, device), and what people did (jobs, flags, dropped embeddings).

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
