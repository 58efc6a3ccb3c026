"""A run: one search in one directory, with one writer and any number of readers."""

import hashlib
import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from store import commit, database, files, learned, making, queries, wal
from store.embeddings import Embeddings
from store.errors import DamagedError, InvalidDeltaError, RunMissingError, StoreError, disk_errors
from store.learned import LearnedFiles
from store.lock import WriterLock
from store.reader import Reader
from store.records import Delta


class Run(Reader):
    """A run directory, open for reading or, by one process at a time, for writing.

    Safe to share between threads; every method holds a lock while it uses the database. After any error the run is as
    it was before the call and stays usable. Use it as a context manager, or `close` it.

    Attributes:
        path: The directory.
        writable: Whether `commit` is allowed.
        embeddings: The embedding arrays under `embeddings/`.
        files: The files under `learned/` that what was learned refers to.
        name: The run's name, as given when it was created.
        version: Of nasd, when the run was created.
        created_at: Seconds since the epoch.
        loss: Commits that a damaged log could not give back when the run was opened for writing, or None.
        forked_from: {"path", "name", "at"} of the run that this one was forked from, or None.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriterLock | None) -> None:
        """Take over an open database; use `create` or `open`."""
        super().__init__(path, connection)
        self.writable = lock is not None
        self._writer_lock = lock
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        self.name: str = meta["name"]
        self.version: str = meta["version"]
        self.created_at = float(meta["created_at"])
        self.config_sha256: str = meta["config_sha256"]
        self.loss: wal.Loss | None = None
        self.forked_from: dict[str, Any] | None = json.loads(meta["forked_from"])
        self.embeddings = Embeddings(path / "embeddings", self._embeddings_referred_to, writable=self.writable)
        self.files = LearnedFiles(path / learned.FOLDER, self._files_referred_to, writable=self.writable)

    # --- making and opening -----------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | Path, config_yaml: str, *, name: str, version: str) -> "Run":
        """Make a new run and open it for writing. The directory appears whole or not at all.

        Args:
            path: The new directory; it must not exist, or be empty. Missing parents are made.
            config_yaml: Frozen as `config.yaml`.
            name: For people.
            version: Of nasd.

        Raises:
            RunExistsError: There is something at `path`.
            DiskFullError: No space.
            DiskError: The disk refused.
        """
        return cls._made(Path(path), making.Description(config_yaml, name, version))

    @classmethod
    def open(cls, path: str | Path, *, writable: bool = False) -> "Run":
        """Open an existing run.

        A writer takes the lock, checks that the database is what was committed, recovers what an earlier one left,
        migrates an older database, and sweeps embeddings and learned files that no commit refers to. A reader does
        none of this, never blocks the writer, and works without one.

        Raises:
            RunMissingError: There is no run at `path`.
            RunLockedError: `writable`, and another process has it open for writing.
            NewerRunError: It was written by a newer version.
            OlderRunError: Not `writable`, and it was written by an older version.
            DamagedError: The database is damaged, or no run's.
            DiskError: It cannot be read, or, with `writable`, not be written.
        """
        path = Path(path)
        file = path / "run.db"
        with disk_errors(file, "open the run"):
            if not file.exists():
                raise RunMissingError(f"there is no run at {path}: run.db is missing; check the path")
            if not writable:
                return cls._wrap(path, database.open_for_reading(file), None)
            lock = WriterLock(path / "lock")
            try:
                loss = database.require_sound(file)
                run = cls._wrap(path, database.open_for_writing(file), lock)
            except BaseException:
                lock.release()
                raise
        run.loss = loss
        try:
            if loss is not None:
                run._forget_what_was_removed()
            run.embeddings.sweep()
            run.files.prepare()
            run.files.sweep()
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def _wrap(cls, path: Path, connection: sqlite3.Connection, lock: WriterLock | None) -> "Run":
        try:
            return cls(path, connection, lock)
        except (KeyError, ValueError) as error:
            connection.close()
            raise DamagedError(f"{path / 'run.db'} is damaged: it does not say whose run it is ({error})") from error
        except BaseException:
            connection.close()
            raise

    @classmethod
    def _made(cls, path: Path, description: making.Description, fill: making.Fill = making.nothing) -> "Run":
        with disk_errors(path, "create a run"):
            lock = making.make(path, description, fill)
            try:
                return cls._wrap(path, database.open_for_writing(path / "run.db"), lock)
            except BaseException:
                lock.release()
                raise

    def fork(
        self,
        path: str | Path,
        *,
        at: int,
        name: str,
        version: str,
        config_yaml: str | None = None,
        embeddings: Literal["link", "none"] = "link",
    ) -> "Run":
        """Make a new run that stands where this one stood after its `at`-th observed trial, open for writing.

        Trials, what was learned (with the files that are still there), position and the proposals open at that point
        are taken over; jobs and flags are not, but for those that say which data the run is of, where they lie, and
        what was changed of its config by then.

        Args:
            path: The new directory, as for `create`.
            at: How many trials to take, in the order of observation; 0 to all.
            name: For people.
            version: Of nasd.
            config_yaml: This run's unless given.
            embeddings: `link` takes them over without taking space (copied where the file system has no hard links);
                `none` leaves them behind.

        Raises:
            StoreError: `at` is out of range, or as for `create`.
        """
        with self._reading("fork the run"):
            total = queries.count(self._connection)
        if not 0 <= at <= total:
            raise StoreError(f"{self.path} has {total} trials, it cannot be forked at {at}; choose 0 to {total}")
        origin = {"path": str(self.path.absolute()), "name": self.name, "at": at}
        config = self.config if config_yaml is None else config_yaml
        return self._made(
            Path(path),
            making.Description(config, name, version, origin),
            making.fork_of(self.path, at, embeddings=embeddings == "link"),
        )

    @property
    def config_is_as_created(self) -> bool:
        """Whether `config.yaml` is what the run was created with. Raises as `config`."""
        return hashlib.sha256(self.config.encode()).hexdigest() == self.config_sha256

    # --- writing ----------------------------------------------------------------------------------------------

    def commit(self, delta: Delta) -> tuple[int, ...]:
        """Write everything in `delta` in one transaction, on the disk when this returns.

        Returns:
            The ids of `delta.jobs`, in their order.

        Raises:
            InvalidDeltaError: It contradicts what is stored: numbers or order with a gap, a trial never proposed or
                observed before, an embedding or a learned file that is not there.
            DiskFullError: No space. Wait and commit the same delta again.
            DiskError: The disk refused.
            StoreError: The run is open for reading only.
        """
        if not self.writable:
            raise StoreError(f"{self.path} is open for reading only; open it with writable=True to commit")
        embedding = delta.trial.embedding if delta.trial else None
        with self._mutex, disk_errors(self.path / "run.db", "commit to the run"):
            self._require_open()
            if embedding is not None and embedding not in files.names(self.embeddings.path):
                raise InvalidDeltaError(f"embedding {embedding!r} is not in {self.embeddings.path}; adopt it first")
            for file in delta.learned.files if delta.learned else ():
                if not learned.is_name(file.name) or not self.files.path(file.name).is_file():
                    raise InvalidDeltaError(f"file {file.name!r} is not in {self.files.folder}; adopt it first")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                done = commit.apply(self._connection, delta)
                self._connection.execute("COMMIT")
            except (OverflowError, TypeError, ValueError, sqlite3.ProgrammingError) as error:
                self._rollback()
                raise InvalidDeltaError(
                    f"a value cannot be stored in {self.path}: {error}; nothing was changed"
                ) from error
            except BaseException:
                self._rollback()
                raise
        for name in done.freed_embeddings:
            self.embeddings.remove(name)
        for name in done.freed_files:
            self.files.remove(name)
        return done.jobs

    def sync(self) -> int:
        """Move everything from the write-ahead log into `run.db` itself, so that copying that file is a backup.

        Commits are on the disk without this.

        Returns:
            How many trials there are.

        Raises:
            DiskFullError: No space; nothing was lost.
            DiskError: The disk refused.
        """
        with self._mutex, disk_errors(self.path / "run.db", "checkpoint the run"):
            self._require_open()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.count()

    def _forget_what_was_removed(self) -> None:
        """After lost commits: rows of before them may refer to folders and files that were dropped by them."""
        embeddings, there = set(files.names(self.embeddings.path)), set(files.names(self.files.folder))
        kept = self.embeddings.referred_to()
        self.commit(
            Delta(
                dropped_embeddings=tuple(number for name, (number, _) in kept.items() if name not in embeddings),
                dropped_files=tuple(name for name in self.files.referred_to() if name not in there),
            )
        )

    # --- the end ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the database and let the next writer in. Fine to call twice."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            try:
                with disk_errors(self.path / "run.db", "close the run"):
                    self._connection.close()
            finally:
                if self._writer_lock is not None:
                    self._writer_lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
