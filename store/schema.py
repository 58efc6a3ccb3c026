"""The version of `run.db`: how an older database is brought up to date, and what is refused.

`PRAGMA user_version` counts the migrations that a database has been through; a new one goes through all of them.
"""

import contextlib
import sqlite3
from pathlib import Path

from store.errors import DamagedError, NewerRunError, OlderRunError
from store.migrations import MIGRATIONS

APPLICATION_ID = 0x6E617364  # "nasd", so that another program's database is told from a damaged one


def version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has been through."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database up to date, one transaction a migration: a kill leaves a whole version, old or new.

    Raises:
        DamagedError: It is not what an older version committed; nothing was changed.
        sqlite3.Error: A migration failed; its transaction was rolled back.
    """
    for number in range(version(connection), len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[number](connection, path)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise


def require(connection: sqlite3.Connection, path: Path, *, writable: bool) -> None:
    """Refuse a database that this version cannot use; migrate an older one if it may be written.

    Raises:
        DamagedError: It is a database, but not one of ours, or not what an older version committed.
        NewerRunError: It was written by a newer version.
        OlderRunError: It is older and `writable` is false.
        sqlite3.Error: It is no database, or a migration failed.
    """
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    found = version(connection)
    if identity != APPLICATION_ID:
        raise DamagedError(f"{path} is not the database of a run; restore it from a backup")
    if found > len(MIGRATIONS):
        raise NewerRunError(
            f"{path} has schema version {found}, this nasd knows up to {len(MIGRATIONS)}; use a newer nasd for this run"
        )
    if found < len(MIGRATIONS):
        if not writable:
            raise OlderRunError(
                f"{path} has schema version {found}, this nasd reads {len(MIGRATIONS)}; "
                "start the run's daemon once, which brings it up to date"
            )
        migrate(connection, path)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database with anything in it that a migration did not make: a trigger of somebody else's, a view.

    Raises:
        DamagedError: It has.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate(model, path)
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2"
        if connection.execute(query).fetchall() != model.execute(query).fetchall():
            raise DamagedError(f"{path} has tables or triggers that nasd did not make; use another one")
