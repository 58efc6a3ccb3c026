"""Version 5: the log of Q-values becomes payloads that only their strategy understands.

The payload of Q-learning, little-endian: a header of five int32 (the trial's number; how many entries its path has, how
many states and transitions are new, how many Q-values were written) and the reward as float64. Then the path as int32;
nine int32 for each new state (its layer type as an index into `_LAYER_TYPES`, then the eight numbers); two int32 for
each new transition; the numbers of the transitions that were updated as int32; their Q-values as float64.
"""

import itertools
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

from store import codec, seal
from store.errors import DamagedError
from store.migrations import seals_4, tables
from store.migrations.script import run

_LAYER_TYPES = {name: index for index, name in enumerate(("start", "conv", "wrn", "max_pool", "spp", "fc"))}
_HEADER = struct.Struct("<5id")
_STATE = struct.Struct("<9i")
_TRANSITION = struct.Struct("<2i")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Check the old seals, repack what was learned, write new seals.

    Raises:
        DamagedError: Something is not what was committed.
        sqlite3.Error: The database refused.
    """
    _require_sound(connection, path)
    run(connection, tables.VERSION_5)
    connection.executemany(
        "INSERT INTO learned (ordinal, number, payload) VALUES (?, ?, ?)", _payloads(connection, path)
    )
    connection.create_function("stage_of", 1, lambda epsilon: f"e={epsilon:g}", deterministic=True)
    connection.create_function("facts_of", 1, lambda epsilon: codec.to_json({"epsilon": epsilon}), deterministic=True)
    for table in ("trial", "proposal"):
        connection.execute(f"UPDATE {table} SET stage = stage_of(epsilon), facts = facts_of(epsilon)")  # noqa: S608
        connection.execute(f"ALTER TABLE {table} DROP COLUMN epsilon")
    for table in ("q_update", "transition", "state"):
        connection.execute(f"DROP TABLE {table}")
    seal.write_all(connection)


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    for (message,) in connection.execute("PRAGMA integrity_check(1)"):
        if message != "ok":
            raise DamagedError(f"{path} is damaged ({' '.join(message.split())}): restore it from a snapshot")
    for trials, what in seals_4.broken(connection):
        where = "" if trials is None else f", or fork it at {trials}, where it is sound, with the nasd that wrote it"
        raise DamagedError(f"{path} is damaged: {what}; restore it from a snapshot{where}")


def _payloads(connection: sqlite3.Connection, path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(ordinal, number, payload) of each trial; one pass over each table, so that no table has to fit into memory."""
    states = connection.execute("SELECT * FROM state ORDER BY id")
    transitions = connection.execute("SELECT state, action FROM transition ORDER BY id")
    known_states = known_transitions = 0
    for ordinal, number, reward, walk, ids, values, all_states, all_transitions in connection.execute(
        "SELECT ordinal, number, reward, path, q_ids, q_values, states, transitions "
        "FROM q_update JOIN trial USING (ordinal) ORDER BY ordinal"
    ):
        new_states = list(itertools.islice(states, all_states - known_states))
        new_transitions = list(itertools.islice(transitions, all_transitions - known_transitions))
        known_states, known_transitions = all_states, all_transitions
        try:
            packed = [_STATE.pack(_LAYER_TYPES[kind], *numbers) for _, kind, *numbers in new_states]
        except KeyError as error:
            raise DamagedError(f"{path} holds a state of the unknown layer type {error}; use a snapshot") from error
        header = _HEADER.pack(number, len(walk) // 4, len(new_states), len(new_transitions), len(ids) // 4, reward)
        pairs = [_TRANSITION.pack(*ends) for ends in new_transitions]
        yield ordinal, number, b"".join((header, walk, *packed, *pairs, ids, values))
