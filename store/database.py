"""Opening `run.db`: how a writer and how readers connect."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from store import schema, seal, wal
from store.errors import DiskError, OlderRunError, RunMissingError

_WAIT = 10.0  # seconds for another connection's short lock; in WAL mode readers and the writer do not meet


def create(path: Path) -> sqlite3.Connection:
    """Make a new database. Raises sqlite3.Error."""
    connection = _connect(path, "rwc")
    connection.execute("PRAGMA journal_mode = WAL")
    _configure(connection)
    schema.migrate(connection, path)
    return connection


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open an existing database, recover what a dead writer left, and migrate it.

    Raises:
        sqlite3.Error: It cannot be opened or is damaged.
        StoreError: It is not ours, or newer.
    """
    connection = _connect(path, "rw")
    try:
        _configure(connection)
        schema.require(connection, path, writable=True)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing database for reads that never block a writer, while one runs and after it died.

    Raises:
        sqlite3.Error: It cannot be opened or is damaged.
        StoreError: It is not ours, newer, or older; or what a dead writer left cannot be read without write access.
    """
    if not path.exists():
        raise RunMissingError(f"there is no run at {path.parent}: {path.name} is missing; check the path")
    try:
        return _checked(_connect(path, "ro"), path)
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
    # The folder cannot be written, so SQLite cannot make its shared-memory file. Without a log that still holds
    # commits nobody writes either (a writer's log and shared memory are there as long as it lives), and the database
    # file alone is the whole state.
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise DiskError(
            f"{path.parent} cannot be written and {log.name} still holds commits; open the run once where it can be "
            "written, or copy the folder"
        )
    return _checked(_connect(path, "ro&immutable=1"), path)


def require_sound(path: Path) -> wal.Loss | None:
    """Check, before anything is written, that a database is what was committed.

    By a connection that only reads: the last one that may write would clear the log away when it is closed.

    Returns:
        Commits that the log has lost, which the database does without.

    Raises:
        DamagedError: It is not what was committed.
        sqlite3.Error: It cannot be opened or read.
        StoreError: As `open_for_reading`.
        OSError: The log cannot be read.
    """
    loss = wal.lost(path.with_name(path.name + "-wal"))
    try:
        connection = open_for_reading(path)
    except OlderRunError:
        return loss  # it has no seals yet
    with contextlib.closing(connection):
        connection.execute("BEGIN")
        seal.require(connection, path)
    return loss


def attach(connection: sqlite3.Connection, path: Path, name: str) -> None:
    """Attach another database for reading. Raises sqlite3.Error."""
    connection.execute(f"ATTACH ? AS {name}", (_uri(path, "ro"),))


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        schema.require(connection, path, writable=False)
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # One connection serves several threads; `Run` holds a lock around every use.
    return sqlite3.connect(_uri(path, mode), uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode NORMAL loses commits when the power goes
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
