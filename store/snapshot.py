"""A whole run in one file, taken while the search runs: its database, its config, and the embeddings
and learned files that it refers to.

The file is a plain tar. Reading one trusts nothing: only the files of a run's layout are taken, at sizes that the file
itself has, and the run is checked like any other before it gets its name.
"""

import contextlib
import errno
import hashlib
import re
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from store import database, files, learned, schema, seal, soundness
from store.errors import DamagedError, RunExistsError, disk_errors
from store.lock import claim_folder, release_folder
from store.making import FOLDERS, STAGED
from store.run import Run

_STAGED = files.TEMPORARY + "snapshot-"
_TRIES = 10  # the search may drop a file between the copy of the database and that of the folder
_BLOCK = 512
_COPY = 1 << 20
_MAX_FILES = 1_000_000
_MAX_CONFIG = 1 << 20
_PART = r"/[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}"
_NAME = re.compile(rf"(config\.yaml|run\.db|embeddings({_PART}){{1,8}}|{learned.FOLDER}{_PART})")


def write(directory: Path, target: Path) -> int:
    """Write a run to one file, whole or not at all. The search goes on meanwhile.

    Args:
        directory: The run.
        target: The file; it must not exist. Missing parents are made.

    Returns:
        How many trials it holds.

    Raises:
        RunExistsError: There is something at `target`.
        DiskFullError: No space; nothing is left behind.
        DamagedError: `config.yaml` is not what the run was created with; nothing is left behind.
        StoreError: The run cannot be read, or the disk refused; nothing is left behind.
    """
    with disk_errors(target, "write a snapshot"):
        if target.exists() or target.is_symlink():
            raise RunExistsError(f"{target} exists already; choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        with _staging(target.parent, _STAGED) as staged:
            with Run.open(directory) as run:
                trials = _copy(run, staged)
            tar = staged / "tar"
            with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
                for path in _contents(staged):
                    archive.add(path, path.relative_to(staged), recursive=False, filter=_plain)
            files.sync(tar)
            files.publish(tar, target)
    return trials


def restore(file: Path, folder: Path, settle: Callable[[str], tuple[str, str]]) -> Path:
    """Make a run of a snapshot: whole and checked, or not at all.

    Args:
        file: What `write` wrote, or something that somebody calls so.
        folder: Where runs live.
        settle: Takes the config in the snapshot, gives the run's name and its config; may refuse by an exception.

    Returns:
        The run's directory, `folder / name`.

    Raises:
        DamagedError: It is no snapshot, or what is in it is not what was committed.
        RunExistsError: There is a run of that name.
        StoreError: The disk refused.
    """
    with disk_errors(file, "restore a snapshot"), file.open("rb") as stream:
        folder.mkdir(parents=True, exist_ok=True)
        with _staging(folder, STAGED) as staged:
            _extract(stream, file, staged)
            for name in FOLDERS:
                (staged / name).mkdir(exist_ok=True)
            database.require_sound(staged / "run.db")
            with contextlib.closing(database.open_for_writing(staged / "run.db")) as connection:
                schema.require_ours(connection, file)
            with Run.open(staged) as run:
                _require_sound(file, soundness.check(run))
                config = run.config
            name, settled = settle(config)
            target = folder / name
            if target.exists():
                raise RunExistsError(f"{target} exists already; choose another name")
            if settled != config:
                _rename(staged, name, settled)
            files.sync_tree(staged)
            files.publish(staged, target)
    return target


@contextlib.contextmanager
def _staging(folder: Path, prefix: str) -> Iterator[Path]:
    """A folder for what is not whole yet; gone afterwards, by the next call of this if this process is killed."""
    staged, lock = claim_folder(folder / "any", prefix)
    try:
        yield staged
    finally:
        release_folder(staged, lock)


def _copy(run: Run, staged: Path) -> int:
    """Copy the database as of one moment, and hold on to the embeddings and files that it refers to."""
    for tries in range(_TRIES, 0, -1):
        with (
            contextlib.closing(database.open_for_reading(run.path / "run.db")) as source,
            contextlib.closing(sqlite3.connect(staged / "run.db")) as copy,
        ):
            source.backup(copy)
        try:
            with Run.open(staged) as copied:
                for name in copied.embeddings.referred_to():
                    files.link_tree(run.path / "embeddings" / name, staged / "embeddings" / name)
                (staged / learned.FOLDER).mkdir(exist_ok=True)
                for name in copied.files.referred_to():
                    files.link(run.files.path(name), staged / learned.FOLDER / name)
                (staged / "config.yaml").write_text(run.config, encoding="utf-8")
                if not copied.config_is_as_created:
                    raise DamagedError(
                        f"{run.path / 'config.yaml'} was changed after the run was created, no snapshot of it would go "
                        "on: put back what was there"
                    )
                return copied.count()
        except OSError as error:
            if tries == 1 or error.errno not in (errno.ENOENT, None):  # None: several files, from `shutil.copytree`
                raise
            files.remove(staged / "embeddings")
            files.remove(staged / learned.FOLDER)
    raise AssertionError("not reached: the last try returns or raises")


def _contents(staged: Path) -> Iterator[Path]:
    yield staged / "config.yaml"
    yield staged / "run.db"
    for folder in ("embeddings", learned.FOLDER):
        yield from sorted(path for path in (staged / folder).rglob("*") if path.is_file())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    member.type = tarfile.REGTYPE  # a file with two names is still a file
    return member


def _extract(stream: BinaryIO, file: Path, staged: Path) -> None:
    """Take the files of a run's layout out of a tar, and refuse all else.

    Headers are read one by one: what `tarfile` does for links, devices, long names, sparse files and extended headers
    is not wanted here.
    """
    end = file.stat().st_size
    found: set[str] = set()
    while True:
        header = stream.read(_BLOCK)
        if header == bytes(_BLOCK):
            break
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as error:
            raise DamagedError(f"{file} is not a snapshot, or was cut off ({error})") from error
        name, size = member.name, member.size
        if member.type != tarfile.REGTYPE or not _NAME.fullmatch(name) or ".." in name:
            raise DamagedError(f"{file} holds {name[:100]!r}, which no snapshot does; it was not written by nasd")
        if name in found or len(found) >= _MAX_FILES:
            raise DamagedError(f"{file} holds {name!r} twice, or too many files; it was not written by nasd")
        if not 0 <= size <= end - stream.tell() or (name == "config.yaml" and size > _MAX_CONFIG):
            raise DamagedError(f"{file} says that {name!r} has {size} bytes, which do not fit; it was cut off")
        found.add(name)
        _take(stream, size, staged / name)
        stream.seek(-size % _BLOCK, 1)
    if not {"run.db", "config.yaml"} <= found:
        raise DamagedError(f"{file} holds no run; it is not a snapshot")


def _take(stream: BinaryIO, size: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        while size:
            data = stream.read(min(size, _COPY))
            if not data:
                raise DamagedError(f"{target.name} ends before its size; the snapshot was cut off")
            out.write(data)
            size -= len(data)


def _require_sound(file: Path, problems: list[soundness.Problem]) -> None:
    if problems:
        raise DamagedError(f"{file} is damaged: {problems[0].where}: {problems[0].what}; use another snapshot")


def _rename(staged: Path, name: str, config: str) -> None:
    (staged / "config.yaml").write_text(config, encoding="utf-8")
    with contextlib.closing(database.open_for_writing(staged / "run.db")) as connection:
        connection.execute("BEGIN")
        for key, value in (("name", name), ("config_sha256", hashlib.sha256(config.encode()).hexdigest())):
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
        seal.write_tables(connection, ("meta",))
        connection.execute("COMMIT")
