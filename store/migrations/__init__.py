"""How each older database becomes the next version.

A migration is never edited once it was released: what it made exists on people's disks. What it needs of the code of
its time is kept here with it.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from store.migrations import learned_5, seals_4, tables
from store.migrations.script import run

Migration = Callable[[sqlite3.Connection, Path], None]
"""Brings a database to the next version inside the caller's transaction; the path is that of the file, for errors."""


def _script(statements: str) -> Migration:
    return lambda connection, _: run(connection, statements)


def _metrics(connection: sqlite3.Connection, _: Path) -> None:
    """Version 3 brought the seals, 4 the last table that those seals cover."""
    run(connection, tables.VERSION_4)
    seals_4.write_missing(connection)


MIGRATIONS: tuple[Migration, ...] = (
    _script(tables.VERSION_1),
    _script(tables.VERSION_2),
    _script(tables.VERSION_3),
    _metrics,
    learned_5.migrate,
)
