"""The tables of `run.db`, and how an older database is brought up to date.

`PRAGMA user_version` counts the migrations that a database has been through; a new one goes through all of them. A
migration is never edited once it was released: what it made exists on people's disks.
"""

import contextlib
import sqlite3
from pathlib import Path

from store import seal
from store.errors import DamagedError, NewerRunError, OlderRunError

APPLICATION_ID = 0x6E617364  # "nasd", so that another program's database is told from a damaged one

# Curves and Q-value logs lie in tables of their own: the trial table stays small enough to be searched and paged in
# milliseconds. `q_update` holds what one trial wrote; `states` and `transitions` count how many exist after it.
_VERSION_1 = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trial (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  ordinal INTEGER NOT NULL UNIQUE CHECK (ordinal > 0),
  net TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('evaluated', 'early_stopped', 'duplicate', 'infeasible', 'failed')),
  epsilon REAL NOT NULL,
  reward REAL NOT NULL,
  counted INTEGER NOT NULL CHECK (counted IN (0, 1)),
  duplicate_of INTEGER REFERENCES trial (number),
  reason TEXT,
  seed TEXT,
  best_validation REAL,
  test_accuracy REAL,
  embedding_dim INTEGER,
  micro_batch INTEGER,
  imported INTEGER NOT NULL CHECK (imported IN (0, 1)),
  finished_at REAL NOT NULL,
  seconds REAL NOT NULL,
  encode_seconds REAL NOT NULL,
  train_seconds REAL NOT NULL,
  peak_memory INTEGER NOT NULL,
  device TEXT NOT NULL,
  embedding TEXT UNIQUE
) STRICT;
CREATE INDEX trial_reward ON trial (reward);
CREATE INDEX trial_best_validation ON trial (best_validation);
CREATE INDEX trial_test_accuracy ON trial (test_accuracy);
CREATE INDEX trial_seconds ON trial (seconds);
CREATE INDEX trial_finished_at ON trial (finished_at);
CREATE INDEX trial_status ON trial (status);
CREATE INDEX trial_duplicate_of ON trial (duplicate_of);

CREATE TABLE curves (
  number INTEGER PRIMARY KEY REFERENCES trial (number),
  validation BLOB NOT NULL,
  train BLOB NOT NULL
) STRICT;

CREATE TABLE state (
  id INTEGER PRIMARY KEY,
  layer_type TEXT NOT NULL,
  layer_depth INTEGER NOT NULL,
  filter_depth INTEGER NOT NULL,
  filter_size INTEGER NOT NULL,
  stride INTEGER NOT NULL,
  padding INTEGER NOT NULL,
  image_size INTEGER NOT NULL,
  fc_size INTEGER NOT NULL,
  terminate INTEGER NOT NULL CHECK (terminate IN (0, 1))
) STRICT;

CREATE TABLE transition (
  id INTEGER PRIMARY KEY,
  state INTEGER NOT NULL REFERENCES state (id),
  action INTEGER NOT NULL REFERENCES state (id)
) STRICT;

CREATE TABLE q_update (
  ordinal INTEGER PRIMARY KEY REFERENCES trial (ordinal),
  path BLOB NOT NULL,
  q_ids BLOB NOT NULL,
  q_values BLOB NOT NULL,
  states INTEGER NOT NULL,
  transitions INTEGER NOT NULL
) STRICT;

CREATE TABLE proposal (
  number INTEGER PRIMARY KEY,
  net TEXT NOT NULL,
  epsilon REAL NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('evaluate', 'duplicate', 'infeasible')),
  reason TEXT,
  opened_after INTEGER NOT NULL
) STRICT;

CREATE TABLE position (
  after INTEGER PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  params TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  priority INTEGER NOT NULL,
  progress REAL NOT NULL,
  result TEXT,
  reason TEXT,
  created_at REAL NOT NULL,
  started_at REAL,
  finished_at REAL
) STRICT;

CREATE TABLE flag (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Outcomes that wait for their turn to be observed: an evaluation that finished before one that was proposed earlier.
_VERSION_2 = """
CREATE TABLE arrived (
  number INTEGER PRIMARY KEY REFERENCES proposal (number),
  outcome TEXT NOT NULL
) STRICT;
"""

# Hashes over what was committed (see `store.seal`); `proposals` is the number of the newest proposal by then.
_VERSION_3 = """
CREATE TABLE seal (
  ordinal INTEGER PRIMARY KEY,
  proposals INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE table_seal (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

# What else was measured of a trial, as JSON; only where there is something.
_VERSION_4 = """
CREATE TABLE metrics (
  number INTEGER PRIMARY KEY REFERENCES trial (number),
  value TEXT NOT NULL
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
_THEN = {
    4: seal.write_missing
}  # what a migration does besides: version 3 brought the seals, 4 the last that they cover


def version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has been through."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to date, one transaction a migration: a kill leaves a whole version, old or new.

    Raises:
        sqlite3.Error: A migration failed; its transaction was rolled back.
    """
    for number in range(version(connection), len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[number].split(";"):
                connection.execute(statement)
            _THEN.get(number + 1, lambda _: None)(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise


def require(connection: sqlite3.Connection, path: Path, *, writable: bool) -> None:
    """Refuse a database that this version cannot use; migrate an older one if it may be written.

    Raises:
        DamagedError: It is a database, but not one of ours.
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
        migrate(connection)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database with anything in it that a migration did not make: a trigger of somebody else's, a view.

    Raises:
        DamagedError: It has.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate(model)
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2"
        if connection.execute(query).fetchall() != model.execute(query).fetchall():
            raise DamagedError(f"{path} has tables or triggers that nasd did not make; use another one")
