"""Seals: hashes over what was committed, so that no number changes unnoticed on the disk.

SQLite checks the structure of its pages and the frames of its log, not the values in a table. Each trial and all that
it changed is sealed together with the seal before it; the small tables that change in place have one seal each.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from store import codec
from store.errors import DamagedError

_SIZE = 16  # bytes
_BLOCK = 1000  # seals written at a time

_TRIAL = ", ".join(f"trial.{name}" for name in codec.TRIAL_COLUMNS.split(", ") if name != "embedding")  # which may go
_CONTENT = (
    f"SELECT seal.ordinal, seal.value, seal.learned, seal.proposals, {_TRIAL}, "  # noqa: S608
    "validation, train, position.value, metrics.value "
    "FROM seal LEFT JOIN trial ON trial.ordinal = seal.ordinal LEFT JOIN curves ON curves.number = trial.number "
    "LEFT JOIN position ON position.after = seal.ordinal LEFT JOIN metrics ON metrics.number = trial.number "
    "WHERE seal.ordinal BETWEEN ? AND ? ORDER BY seal.ordinal"
)
_PROPOSALS = "SELECT * FROM proposal WHERE number > ? AND number <= ? ORDER BY number"
_LEARNED = "SELECT id, number, payload FROM learned"
_FILES = "SELECT name, learned, sha256 FROM blob WHERE learned = ? ORDER BY name"  # whether it is kept may change

TABLES = {
    "meta": "SELECT * FROM meta ORDER BY key",
    "flag": "SELECT * FROM flag ORDER BY name",
    "job": "SELECT * FROM job ORDER BY id",
    "arrived": "SELECT * FROM arrived ORDER BY number",
    "embedding": "SELECT embedding, number FROM trial WHERE embedding IS NOT NULL ORDER BY embedding",
    "learned file": "SELECT name FROM blob WHERE kept ORDER BY name",
}
"""What changes in place, and how it is read to be sealed."""


def write(connection: sqlite3.Connection, ordinal: int, learned: int | None = None) -> None:
    """Seal the newest trial and all that was committed since the trial before it; 0 is what was before the first.

    Args:
        connection: In a transaction.
        ordinal: How many trials there are.
        learned: The payload, by its id, that came with this commit. The payloads before it are not read again: much may
            be thought out between two trials.
    """
    row = connection.execute("SELECT learned FROM seal WHERE ordinal = ?", (ordinal,)).fetchone()
    chain = row[0] if row else b""
    if learned is not None:
        chain = _chain(connection, chain, "id = ?", learned)
    connection.execute(
        "INSERT OR REPLACE INTO seal SELECT ?, coalesce(max(number), 0), x'', ? FROM proposal", (ordinal, chain)
    )
    for found in _seals(connection, ordinal, ordinal, chain):
        connection.execute("UPDATE seal SET value = ? WHERE ordinal = ?", (found.computed[0], ordinal))


def write_all(connection: sqlite3.Connection) -> None:
    """Write every seal of a database anew, from the numbers of proposals that the old ones hold. For migrations."""
    (last,) = connection.execute("SELECT coalesce(max(ordinal), -1) FROM seal").fetchone()
    for first in range(0, last + 1, _BLOCK):
        found = [(*seal.computed, seal.ordinal) for seal in _seals(connection, first, first + _BLOCK - 1)]
        connection.executemany("UPDATE seal SET value = ?, learned = ? WHERE ordinal = ?", found)
    connection.execute("DELETE FROM table_seal")
    write_tables(connection, TABLES)


def write_tables(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Seal those of `TABLES` that a transaction changed."""
    for name in names:
        connection.execute("INSERT OR REPLACE INTO table_seal VALUES (?, ?)", (name, _table(connection, name)))


def broken(connection: sqlite3.Connection) -> Iterator[tuple[int | None, str]]:
    """What is not as it was committed: (trials before it, a sentence's beginning); None trials for a small table.

    Only the first trial is named: all later seals rest on it.
    """
    (last,) = connection.execute("SELECT coalesce(max(ordinal), 0) FROM trial").fetchone()
    due = 0
    for found in _seals(connection, 0, last):
        if found.ordinal != due or found.stored != found.computed:
            break
        due += 1
    if due <= last:
        what = f"the trial observed as number {due}" if due else "what was there before the first trial"
        yield max(due - 1, 0), f"{what}, or what it changed, is not what was committed"
    stored_tables = dict(connection.execute("SELECT name, value FROM table_seal").fetchall())
    for name in TABLES:
        if stored_tables.get(name) != _table(connection, name):
            yield None, f"the table of {name}s is not what was committed"


def require(connection: sqlite3.Connection, path: object) -> None:
    """Refuse a database that is not what was committed.

    Raises:
        DamagedError: Its pages, a trial or a table are not.
        sqlite3.Error: It cannot be read.
    """
    for (message,) in connection.execute("PRAGMA integrity_check(1)"):
        if message != "ok":
            raise DamagedError(f"{path} is damaged ({_one_line(message)}): restore it from a snapshot, or fork it")
    for trials, what in broken(connection):
        raise DamagedError(
            f"{path} is damaged: {what}; restore it from a snapshot, or "
            + ("fork it" if trials is None else f"fork it at {trials}, where it is sound")
        )


class _Seal(NamedTuple):
    """A trial's seal, and the hash over what was learned that goes into it: as stored, and as its rows have it."""

    ordinal: int
    stored: tuple[bytes, bytes]
    computed: tuple[bytes, bytes]


def _seals(connection: sqlite3.Connection, first: int, last: int, chain: bytes | None = None) -> Iterator[_Seal]:
    """Seals by ordinal. `chain` is the hash over what was learned, if it is known; else it is made of the rows."""
    row = connection.execute("SELECT value, proposals FROM seal WHERE ordinal = ?", (first - 1,)).fetchone()
    before, proposed = row or (b"", 0)
    for ordinal, value, stored_chain, *content in connection.execute(_CONTENT, (first, last)):
        total = hashlib.blake2b(before, digest_size=_SIZE)
        _take(total, content)
        newest = content[0]
        if newest > proposed:
            for opened in connection.execute(_PROPOSALS, (proposed, newest)):
                _take(total, opened)
        learned = _chain(connection, b"", "ordinal = ?", ordinal) if chain is None else chain
        total.update(learned)
        yield _Seal(ordinal, (value, stored_chain), (total.digest(), learned))
        before, proposed = total.digest(), newest


def _chain(connection: sqlite3.Connection, chain: bytes, where: str, parameter: int) -> bytes:
    """Hash payloads and their files, each with the hash of all before it."""
    for learned in connection.execute(f"{_LEARNED} WHERE {where} ORDER BY id", (parameter,)):
        total = hashlib.blake2b(chain, digest_size=_SIZE)
        _take(total, learned)
        for file in connection.execute(_FILES, learned[:1]):
            _take(total, file)
        chain = total.digest()
    return chain


def _table(connection: sqlite3.Connection, name: str) -> bytes:
    total = hashlib.blake2b(digest_size=_SIZE)
    for row in connection.execute(TABLES[name]):
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


def _one_line(text: str) -> str:
    return " ".join(text.split())
