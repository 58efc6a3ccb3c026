"""Making a run directory: a new one, or one that takes over the beginning of another. Whole, or not there."""

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import database, files, learned, seal
from store.errors import RunExistsError
from store.lock import WriterLock, claim_folder, release_folder

STAGED = files.TEMPORARY + "run-"
"""What the name of a run begins with that is not whole yet."""
FOLDERS = ("embeddings", learned.FOLDER, "weights", "log")
"""What a new run has besides its files."""

Fill = Callable[[sqlite3.Connection, Path], None]
"""Writes the first rows and files of a run, given its new database and its folder."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a run says of itself."""

    config_yaml: str
    name: str
    version: str
    forked_from: dict[str, Any] | None = None


def nothing(_: sqlite3.Connection, __: Path) -> None:
    """Fill a run with nothing."""


def make(path: Path, description: Description, fill: Fill) -> WriterLock:
    """Make a run directory. It appears whole, or not at all.

    Returns:
        The lock on it, held.

    Raises:
        RunExistsError: There is something at `path`.
        OSError: The disk refused.
        sqlite3.Error: The database refused.
        StoreError: What it was filled with is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunExistsError(f"{path} exists already; choose another name, or open it as a run")
    staged, lock = claim_folder(path, STAGED)  # the lock moves with it, and is that of the run
    try:
        config = description.config_yaml.encode()
        (staged / "config.yaml").write_bytes(config)
        for folder in FOLDERS:
            (staged / folder).mkdir()
        with contextlib.closing(database.create(staged / "run.db")) as connection:
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [
                    ("name", description.name),
                    ("version", description.version),
                    ("created_at", repr(time.time())),
                    ("config_sha256", hashlib.sha256(config).hexdigest()),
                    ("forked_from", json.dumps(description.forked_from)),
                ],
            )
            fill(connection, staged)
            seal.write_tables(connection, seal.TABLES)
            seal.require(connection, staged / "run.db")
        files.sync_tree(staged)
        files.publish(staged, path)
    except BaseException:
        release_folder(staged, lock)
        raise
    return lock


def fork_of(source: Path, at: int, *, embeddings: bool) -> Fill:
    """Fill a run with another one as it stood after its `at`-th observed trial, with or without its embeddings."""

    def fill(connection: sqlite3.Connection, folder: Path) -> None:
        database.attach(connection, source / "run.db", "source")
        connection.execute("BEGIN")
        for statement in _FORK:
            connection.execute(statement, {"at": at})
        if not embeddings:
            connection.execute("UPDATE trial SET embedding = NULL")
        connection.execute("COMMIT")
        connection.execute("DETACH source")
        for (kept,) in connection.execute("SELECT embedding FROM trial WHERE embedding IS NOT NULL"):
            files.link_tree(source / "embeddings" / kept, folder / "embeddings" / kept)
        for (kept,) in connection.execute("SELECT name FROM blob WHERE kept"):
            files.link(source / learned.FOLDER / kept, folder / learned.FOLDER / kept)

    return fill


_FORK = (
    "INSERT INTO trial SELECT * FROM source.trial WHERE ordinal <= :at ORDER BY ordinal",
    "INSERT INTO curves SELECT * FROM source.curves WHERE number IN (SELECT number FROM trial)",
    "INSERT INTO metrics SELECT * FROM source.metrics WHERE number IN (SELECT number FROM trial)",
    "INSERT INTO learned SELECT * FROM source.learned WHERE ordinal <= :at ORDER BY id",
    "INSERT INTO blob SELECT * FROM source.blob WHERE learned IN (SELECT id FROM learned) ORDER BY rowid",
    "INSERT INTO proposal SELECT * FROM source.proposal WHERE opened_after <= :at",
    "INSERT OR REPLACE INTO seal SELECT * FROM source.seal WHERE ordinal <= :at",
    "INSERT INTO position SELECT * FROM source.position WHERE after <= :at",
    "INSERT INTO flag SELECT * FROM source.flag WHERE name IN ('data', 'data_root')",  # whose data it is
    "INSERT INTO flag SELECT name, (SELECT json_group_array(json(entry.value)) FROM json_each(flag.value) AS entry "
    "WHERE json_extract(entry.value, '$.at') <= :at) FROM source.flag WHERE name = 'changes'",  # of its config so far
)
