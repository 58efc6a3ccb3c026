"""The seals of the versions 3 and 4, as they were written then: a migration first checks what it is about to repack."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator

_SIZE = 16  # bytes

_TRIAL = (  # all columns but `embedding`, which may go
    "trial.number, trial.ordinal, trial.net, trial.status, trial.epsilon, trial.reward, trial.counted, "
    "trial.duplicate_of, trial.reason, trial.seed, trial.best_validation, trial.test_accuracy, trial.embedding_dim, "
    "trial.micro_batch, trial.imported, trial.finished_at, trial.seconds, trial.encode_seconds, trial.train_seconds, "
    "trial.peak_memory, trial.device"
)
_CONTENT = (
    f"SELECT seal.ordinal, seal.value, q_update.states, q_update.transitions, seal.proposals, {_TRIAL}, "  # noqa: S608
    "validation, train, path, q_ids, q_values, position.value, metrics.value "
    "FROM seal LEFT JOIN trial ON trial.ordinal = seal.ordinal LEFT JOIN curves ON curves.number = trial.number "
    "LEFT JOIN q_update ON q_update.ordinal = seal.ordinal LEFT JOIN position ON position.after = seal.ordinal "
    "LEFT JOIN metrics ON metrics.number = trial.number "
    "WHERE seal.ordinal BETWEEN ? AND ? ORDER BY seal.ordinal"
)
_NEW = (  # rows of these tables that came with a trial, by what the seals before and of it count
    "SELECT * FROM state WHERE id >= ? AND id < ? ORDER BY id",
    "SELECT * FROM transition WHERE id >= ? AND id < ? ORDER BY id",
    "SELECT * FROM proposal WHERE number > ? AND number <= ? ORDER BY number",
)

_TABLES = {
    "meta": "SELECT * FROM meta ORDER BY key",
    "flag": "SELECT * FROM flag ORDER BY name",
    "job": "SELECT * FROM job ORDER BY id",
    "arrived": "SELECT * FROM arrived ORDER BY number",
    "embedding": "SELECT embedding, number FROM trial WHERE embedding IS NOT NULL ORDER BY embedding",
}


def write_missing(connection: sqlite3.Connection) -> None:
    """Seal a database that has no seals: a new one, or one from before there were any."""
    if connection.execute("SELECT EXISTS (SELECT 1 FROM seal)").fetchone() == (1,):
        return
    connection.execute(
        "INSERT INTO seal SELECT ordinal, coalesce(max(newest) OVER (ORDER BY ordinal), 0), x'' "
        "FROM (SELECT ordinal FROM trial UNION SELECT 0) "
        "LEFT JOIN (SELECT opened_after, max(number) AS newest FROM proposal GROUP BY opened_after) "
        "ON opened_after = ordinal"
    )
    (last,) = connection.execute("SELECT max(ordinal) FROM seal").fetchone()
    for found, _, computed in list(_seals(connection, 0, last)):
        connection.execute("UPDATE seal SET value = ? WHERE ordinal = ?", (computed, found))
    _write_tables(connection)


def _write_tables(connection: sqlite3.Connection) -> None:
    for name in _TABLES:
        connection.execute("INSERT OR REPLACE INTO table_seal VALUES (?, ?)", (name, _table(connection, name)))


def broken(connection: sqlite3.Connection) -> Iterator[tuple[int | None, str]]:
    """What is not as it was committed: (trials before it, a sentence's beginning); None trials for a small table.

    Only the first trial is named: all later seals rest on it.
    """
    (last,) = connection.execute("SELECT coalesce(max(ordinal), 0) FROM trial").fetchone()
    due = 0
    for ordinal, stored, computed in _seals(connection, 0, last):
        if ordinal != due or stored != computed:
            break
        due += 1
    if due <= last:
        what = f"the trial observed as number {due}" if due else "what was there before the first trial"
        yield max(due - 1, 0), f"{what}, or what it changed, is not what was committed"
    stored_tables = dict(connection.execute("SELECT name, value FROM table_seal").fetchall())
    for name in _TABLES:
        if stored_tables.get(name) != _table(connection, name):
            yield None, f"the table of {name}s is not what was committed"


def _seals(connection: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[int, bytes, bytes]]:
    """(ordinal, the seal that is stored, the seal that its rows have), by ordinal."""
    row = connection.execute(
        "SELECT seal.value, coalesce(states, 0), coalesce(transitions, 0), seal.proposals "
        "FROM seal LEFT JOIN q_update USING (ordinal) WHERE ordinal = ?",
        (first - 1,),
    ).fetchone()
    before, counts = (row[0], row[1:]) if row else (b"", (0, 0, 0))
    for ordinal, stored, *content, metrics in connection.execute(_CONTENT, (first, last)):
        total = hashlib.blake2b(before, digest_size=_SIZE)
        _take(total, content)
        if metrics is not None:  # trials from before there were any keep their seals
            _take(total, (metrics,))
        now = (content[0] or 0, content[1] or 0, content[2])
        for query, start, end in zip(_NEW, counts, now, strict=True):
            if end > start:
                for new in connection.execute(query, (start, end)):
                    _take(total, new)
        yield ordinal, stored, total.digest()
        before, counts = total.digest(), now


def _table(connection: sqlite3.Connection, name: str) -> bytes:
    total = hashlib.blake2b(digest_size=_SIZE)
    for row in connection.execute(_TABLES[name]):
        _take(total, row)
    return total.digest()


def _take(total: "hashlib.blake2b", row: Iterable[object]) -> None:
    """Hash a row: repr gives numbers exactly and tells types apart, blobs go in as they are."""
    plain = []
    for value in row:
        if isinstance(value, bytes):
            plain.append(len(value))
            total.update(value)
        else:
            plain.append(value)  # type: ignore[arg-type]
    total.update(repr(plain).encode())
