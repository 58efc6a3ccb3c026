"""What is read of a run: each method one query of `store.queries`, under a lock, with errors as sentences."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

from store import files, learned, queries
from store.conditions import MARK
from store.embeddings.folder import is_name
from store.errors import DamagedError, StoreError, disk_errors
from store.queries import Evaluated, Rewards, Wanted
from store.records import Checkpoint, Job, OpenProposal, Step, Trial, TrialStatus

_BLOCK = 500  # rows read under one hold of the lock while iterating


class Reader:
    """An open database, safe to share between threads. `Run` is one that can also write.

    Attributes:
        path: The run directory.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._mutex = threading.RLock()
        self._sizing = threading.Lock()
        self._closed = False

    @property
    def config(self) -> str:
        """The text of `config.yaml`. Raises DiskError, DamagedError."""
        file = self.path / "config.yaml"
        with disk_errors(file, "read the run's config"):
            return file.read_bytes().decode()

    def checkpoint(self) -> Checkpoint:
        """Read everything needed to go on besides what was `learned`, as the last commit left it.

        Raises:
            DamagedError: The database is damaged.
            DiskError: It cannot be read.
        """
        with self._reading("read the checkpoint"):
            return queries.checkpoint(self._connection)

    def trials(self, **wanted: Unpack[Wanted]) -> list[Trial]:
        """A page of trials; arguments, order and errors as for `page`."""
        return self.page(**wanted)[1]

    def page(self, **wanted: Unpack[Wanted]) -> tuple[int, list[Trial]]:
        """How many trials match, and a page of them.

        Missing values sort below all others; equal ones by number, in the same direction. Unless asked otherwise all
        trials are wanted, by number.

        Raises:
            ValueError: `sort` is not one of the columns.
            DamagedError: The database is damaged.
            DiskError: It cannot be read.
        """
        with self._reading("read trials"):
            return queries.page(self._connection, wanted)

    def count(self) -> int:
        """How many trials there are; errors as for `trials`."""
        with self._reading("count trials"):
            return queries.count(self._connection)

    def counted(self) -> int:
        """How many trials advanced the search; errors as for `trials`."""
        with self._reading("count trials"):
            return queries.counted(self._connection)

    def know_sizes(self, size_of: Callable[[str], tuple[int, int]]) -> None:
        """Note the size of each trial's architecture, for conditions on it; only of trials not noted before.

        Args:
            size_of: Layers and parameters of an architecture.
        """
        with self._sizing:  # who comes second waits, and finds them noted
            while self._know_more_sizes(size_of):
                pass

    def _know_more_sizes(self, size_of: Callable[[str], tuple[int, int]]) -> bool:
        """Note those of a block of trials; False: there was none left."""
        with self._mutex, disk_errors(self.path / "run.db", "read the architectures"):
            self._require_open()
            self._connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS size "
                "(number INTEGER PRIMARY KEY, ordinal INTEGER, layers INTEGER, parameters INTEGER)"
            )
            (last,) = self._connection.execute("SELECT coalesce(max(ordinal), 0) FROM temp.size").fetchone()
            block = queries.nets(self._connection, last, _BLOCK)
        rows = [(number, ordinal, *size_of(net)) for number, ordinal, net in block]
        with self._mutex, disk_errors(self.path / "run.db", "note the sizes of architectures"):
            self._require_open()
            self._connection.executemany("INSERT OR REPLACE INTO temp.size VALUES (?, ?, ?, ?)", rows)
        return bool(block)

    def evaluated(self, after: int = 0, *, count: int) -> list[Evaluated]:
        """The next `count` evaluated trials behind an order: architectures with what was measured of them, in short."""
        with self._reading("read evaluated trials"):
            return queries.evaluated(self._connection, after, count)

    def rank(self, reward: float) -> tuple[int, int]:
        """How many evaluated trials, each of its own architecture, have a higher reward, and how many there are."""
        with self._reading("rank a trial"):
            return queries.rank(self._connection, reward)

    def times_proposed(self, numbers: Sequence[int]) -> dict[int, int]:
        """How often the architecture of each trial, which is no duplicate, was proposed."""
        with self._reading("count duplicates"):
            return queries.times_proposed(self._connection, numbers)

    def marks(self) -> dict[int, dict[str, Any]]:
        """What people noted of trials, by number: `star` and `note`."""
        return {int(name.removeprefix(MARK)): value for name, value in self.flags().items() if name.startswith(MARK)}

    def trial(self, number: int) -> Trial | None:
        """One trial, or None; errors as for `trials`."""
        with self._reading("read a trial"):
            return queries.trial(self._connection, number)

    def best(self, k: int) -> list[Trial]:
        """The k best architectures that were evaluated, each once, the earliest of equal ones first."""
        with self._reading("read the best trials"):
            return queries.best(self._connection, k)

    def duplicates(self, number: int, *, limit: int) -> list[int]:
        """Numbers of the first `limit` trials that are duplicates of trial `number`."""
        with self._reading("read duplicates"):
            return queries.duplicates(self._connection, number, limit)

    def repeats(self, number: int) -> int:
        """How many trials are duplicates of trial `number`."""
        with self._reading("count duplicates"):
            return queries.repeats(self._connection, number)

    def rewards(self, after: int = 0) -> Rewards:
        """The trials numbered above `after` that counted, as arrays for plots."""
        with self._reading("read rewards"):
            return queries.rewards(self._connection, after)

    def looks(self) -> list[tuple[int, float, dict[str, Any]]]:
        """Of each trial that had a quick look, or several: its place in the order of observation, reward, metrics."""
        with self._reading("read quick looks"):
            return queries.looks(self._connection)

    def by_status(self) -> dict[TrialStatus, int]:
        """How many trials of each status; statuses without a trial are left out."""
        with self._reading("count trials"):
            return queries.by_status(self._connection)

    def jobs(self, *, offset: int = 0, limit: int | None = None) -> list[Job]:
        """Jobs in the order in which they are worked off, then those that ended, newest first."""
        with self._reading("read jobs"):
            return queries.jobs(self._connection, offset, limit)

    def position(self, after: int) -> dict[str, Any] | None:
        """The strategy's position after `after` observed trials; None if none was committed there."""
        with self._reading("read the strategy's position"):
            return queries.position(self._connection, after)

    def proposals(self, after: int) -> list[OpenProposal]:
        """Proposals that were open after `after` observed trials, by number."""
        with self._reading("read the open proposals"):
            return queries.proposals(self._connection, after)

    def flags(self) -> dict[str, Any]:
        """All flags."""
        with self._reading("read flags"):
            return queries.flags(self._connection)

    def observed(self, first: int = 1, last: int | None = None) -> Iterator[Trial]:
        """Trials in the order of observation, without what was learned of them.

        Args:
            first: Order of the first one.
            last: Order of the last one, included; None for the end.
        """
        for start, stop in self._blocks(max(first, 1), last):
            with self._reading("read trials"):
                block = list(queries.observed(self._connection, start, stop))
            yield from block

    def learned(self) -> Iterator[bytes]:
        """Every payload, in the order in which they were committed; with the checkpoint it is all needed to go on."""
        last = 0
        while True:
            with self._reading("read what was learned"):
                block = queries.payloads(self._connection, last, _BLOCK)
            if not block:
                return
            yield from (payload for _, payload in block)
            last = block[-1][0]

    def steps(self, first: int = 1, last: int | None = None, *, newest: int | None = None) -> Iterator[Step]:
        """Trials with what was learned of each, and what was thought out in between, in the order committed.

        Args:
            first: Order of the first trial; 1 begins with what was thought out before any trial.
            last: Order of the last trial; also what was thought out after it. None for the end.
            newest: `Checkpoint.learned`: leave out what was learned since; None for all.
        """
        for start, stop in self._blocks(0 if first <= 1 else first, last):
            with self._reading("read what was observed and learned"):
                block = list(queries.steps(self._connection, start, stop, newest))
            yield from block

    def _blocks(self, first: int, last: int | None) -> Iterator[tuple[int, int]]:
        """Ranges of orders, both ends included."""
        end = self.count() if last is None else min(last, self.count())
        for start in range(first, end + 1, _BLOCK):
            yield start, min(start + _BLOCK - 1, end)

    def size_on_disk(self) -> int:
        """Bytes that the run directory takes, embeddings and log included."""
        return files.disk_usage(self.path)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Read with SQL of one's own, all of it from one moment. For `store.soundness`.

        Raises:
            StoreError: As `trials`.
        """
        with self._reading("read the database"):
            yield self._connection

    @contextlib.contextmanager
    def _reading(self, doing: str) -> Iterator[None]:
        with self._mutex, disk_errors(self.path / "run.db", doing):
            self._require_open()
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._rollback()

    def _files_referred_to(self) -> dict[str, str]:
        with self._reading("read the names of learned files"):
            kept = dict(self._connection.execute("SELECT name, sha256 FROM blob WHERE kept ORDER BY name").fetchall())
        for name in kept:  # of somebody else's run: what it names would be read, and removed
            if not learned.is_name(name):
                raise DamagedError(f"{self.path} refers to {name!r} as a learned file; do not use it")
        return kept

    def _embeddings_referred_to(self) -> dict[str, tuple[int, float]]:
        with self._reading("read the trials with embeddings"):
            rows = self._connection.execute(  # by the index of embeddings: most trials of a long search have none
                "SELECT embedding, number, reward FROM trial WHERE embedding >= '' ORDER BY +number"
            )
            kept = {name: (number, reward) for name, number, reward in rows}
        for name, (number, _) in kept.items():  # of somebody else's run: what it names would be read, and removed
            if not isinstance(name, str) or not is_name(name):
                raise DamagedError(f"{self.path} refers to {name!r} as the embedding of trial {number}; do not use it")
        return kept

    def _rollback(self) -> None:
        # SQLite has already rolled back by itself after some errors, a full disk among them.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path} was closed; open it again")
