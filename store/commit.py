"""The one write: a `Delta` becomes one transaction, after it was found to fit what is stored."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from store import codec, seal
from store.errors import InvalidDeltaError
from store.records import Delta, Learned, OpenProposal, Trial


@dataclass(frozen=True, slots=True)
class Committed:
    """What the store decided in a commit."""

    jobs: tuple[int, ...]  # the ids of the delta's jobs
    freed_embeddings: tuple[str, ...]  # names of folders that no row refers to any more
    freed_files: tuple[str, ...]  # names of learned files that no row refers to any more


def apply(connection: sqlite3.Connection, delta: Delta) -> Committed:
    """Write a delta inside the caller's transaction.

    Args:
        connection: In a transaction, which the caller rolls back if this raises.
        delta: What to write.

    Raises:
        InvalidDeltaError: The delta contradicts what is stored.
        sqlite3.Error: The database refused.
    """
    if delta.trial is not None:
        _write_trial(connection, delta.trial)
    trials = _one(connection, "SELECT coalesce(max(ordinal), 0) FROM trial")
    learned = None
    if delta.learned is not None:
        number = None if delta.trial is None else delta.trial.number
        learned = _write_learned(connection, delta.learned, trials, number)
    _open(connection, delta.opened, trials)
    if delta.position is not None:
        connection.execute(
            "INSERT INTO position VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (trials, codec.to_json(delta.position)),
        )
    for flag, value in delta.flags.items():
        connection.execute(
            "INSERT INTO flag VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (flag, codec.to_json(value)),
        )
    connection.executemany("INSERT OR REPLACE INTO arrived VALUES (?, ?)", delta.arrived.items())
    freed = tuple(name for number in delta.dropped_embeddings if (name := _drop(connection, number)) is not None)
    for name in delta.dropped_files:
        _drop_file(connection, name)
    jobs = tuple(
        _one(
            connection,
            f"INSERT OR REPLACE INTO job ({codec.JOB_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?) RETURNING id",  # noqa: S608
            codec.job_row(job),
        )
        for job in delta.jobs
    )
    if delta.trial is not None or delta.learned is not None or delta.opened or delta.position is not None:
        seal.write(connection, trials, learned)
    seal.write_tables(connection, _touched(delta))
    return Committed(jobs, freed, delta.dropped_files)


def _touched(delta: Delta) -> Iterator[str]:
    """Which of `seal.TABLES` a delta changes."""
    if delta.flags:
        yield "flag"
    if delta.jobs:
        yield "job"
    if delta.arrived or delta.trial is not None:
        yield "arrived"
    if delta.dropped_embeddings or (delta.trial is not None and delta.trial.embedding is not None):
        yield "embedding"
    if delta.dropped_files or (delta.learned is not None and delta.learned.files):
        yield "learned file"


def _write_trial(connection: sqlite3.Connection, trial: Trial) -> None:
    due = 1 + _one(connection, "SELECT coalesce(max(ordinal), 0) FROM trial")
    if trial.order != due:
        raise InvalidDeltaError(f"trial {trial.number} has order {trial.order}, due is {due}; observe in order")
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM proposal WHERE number = ?), EXISTS (SELECT 1 FROM trial WHERE number = ?)",
        (trial.number, trial.number),
    ).fetchone()
    proposed, observed = row
    if observed:
        raise InvalidDeltaError(f"trial {trial.number} was observed before")
    if not proposed and trial.number != (due_number := _last_number(connection) + 1):
        raise InvalidDeltaError(f"trial {trial.number} was never proposed; open, or number {due_number}, is needed")
    marks = ",".join("?" * (codec.TRIAL_COLUMNS.count(",") + 1))
    connection.execute(f"INSERT INTO trial ({codec.TRIAL_COLUMNS}) VALUES ({marks})", codec.trial_row(trial))  # noqa: S608
    connection.execute("DELETE FROM arrived WHERE number = ?", (trial.number,))
    if trial.validation_accuracies or trial.train_accuracies:
        connection.execute(
            "INSERT INTO curves VALUES (?, ?, ?)",
            (
                trial.number,
                codec.pack_floats(trial.validation_accuracies),
                codec.pack_floats(trial.train_accuracies),
            ),
        )
    if trial.metrics is not None:
        connection.execute("INSERT INTO metrics VALUES (?, ?)", (trial.number, codec.to_json(trial.metrics)))


def _write_learned(connection: sqlite3.Connection, learned: Learned, trials: int, number: int | None) -> int:
    id = _one(
        connection,
        "INSERT INTO learned (ordinal, number, payload) VALUES (?, ?, ?) RETURNING id",
        (trials, number, learned.payload),
    )
    for file in learned.files:
        if connection.execute("SELECT EXISTS (SELECT 1 FROM blob WHERE name = ?)", (file.name,)).fetchone() == (1,):
            raise InvalidDeltaError(f"the learned file {file.name!r} came with an earlier commit; use a new name")
        connection.execute("INSERT INTO blob VALUES (?, ?, ?, 1)", (file.name, id, file.sha256))
    return id


def _open(connection: sqlite3.Connection, opened: tuple[OpenProposal, ...], trials: int) -> None:
    for proposal in opened:
        due = _last_number(connection) + 1
        if proposal.number != due:
            raise InvalidDeltaError(f"proposal {proposal.number} was opened, due is {due}; propose without a gap")
        connection.execute(
            f"INSERT INTO proposal ({codec.PROPOSAL_COLUMNS}, opened_after) VALUES (?,?,?,?,?,?,?)",  # noqa: S608
            (*codec.proposal_row(proposal), trials),
        )


def _last_number(connection: sqlite3.Connection) -> int:
    return _one(
        connection,
        "SELECT max((SELECT coalesce(max(number), 0) FROM proposal), (SELECT coalesce(max(number), 0) FROM trial))",
    )


def _drop(connection: sqlite3.Connection, number: int) -> str | None:
    row = connection.execute("SELECT embedding FROM trial WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise InvalidDeltaError(f"there is no trial {number} whose embedding could go")
    connection.execute("UPDATE trial SET embedding = NULL WHERE number = ?", (number,))
    name: str | None = row[0]
    return name


def _drop_file(connection: sqlite3.Connection, name: str) -> None:
    if connection.execute("UPDATE blob SET kept = 0 WHERE name = ? AND kept", (name,)).rowcount == 0:
        raise InvalidDeltaError(f"there is no learned file {name!r} that could go")


def _one(connection: sqlite3.Connection, query: str, parameters: tuple[object, ...] = ()) -> int:
    (value,) = connection.execute(query, parameters).fetchone()
    return int(value)
