"""The data of a run: frozen by fingerprint when it is made, looked for where they lie now.

Both are flags in the run's database, so that snapshots and forks have them and seals cover them.
"""

import os
from pathlib import Path

from nasd import data as datasets
from nasd.config import Config
from nasd.data import Fingerprint
from nasd.errors import DataMissingError
from nasd.runs import changes
from store import DamagedError, Delta, OlderRunError, Run

IDENTITY, ROOT = "data", "data_root"
"""Names of the flags."""


def frozen(run: Run) -> Fingerprint | None:
    """The fingerprint that a run's data must have; None for a run made before there were any.

    Raises:
        DamagedError: The run holds something else in its place.
    """
    value = run.flags().get(IDENTITY)
    if value is None:
        return None
    try:
        return Fingerprint.from_json(value)
    except ValueError as error:
        raise DamagedError(f"{run.path / 'run.db'} is damaged: of its data, {error}") from error


def located(run: Run, config: Config) -> Config:
    """A run's config with the folder where its data lie now.

    That is what `nasd data` was told, else the folder of the config. Where the data are in neither, $NASD_DATA is
    looked at, and in it a folder of the same name. Which data these are is for `require_same` to say.
    """
    told = run.flags().get(ROOT)
    first = with_root(config, Path(told)) if isinstance(told, str) else config
    if datasets.is_there(first.data):
        return first
    candidates = [] if told is None else [config]
    if (named := os.environ.get("NASD_DATA")) is not None:
        folder = Path(named).expanduser().absolute()
        candidates.append(with_root(config, folder))
        if config.data.root is not None and config.data.root.name:
            candidates.append(with_root(config, folder / config.data.root.name))
    return next((candidate for candidate in candidates if datasets.is_there(candidate.data)), first)


def with_root(config: Config, root: Path) -> Config:
    """The same config with its data in another folder."""
    return config.model_copy(update={"data": config.data.model_copy(update={"root": root})})


def require_same(directory: Path) -> None:
    """Before a start: refuse data that are not those of the run.

    Where they were found by another path than the run knows (a relative one, or through $NASD_DATA) it is written
    down, so that a start from elsewhere finds them too.

    Raises:
        DataChangedError: They are others; the message says what changed.
        DataMissingError: They are not there.
        StoreError: The run cannot be read or written.
    """
    try:
        with Run.open(directory) as run:
            config = changes.config_of(run)
            identity, done, known = frozen(run), run.flags().get("finished"), run.flags().get(ROOT)
            found = located(run, config)
    except OlderRunError:  # its daemon brings it up to date, and writes the fingerprint down
        return
    if identity is None or (done and not datasets.is_there(found.data)):  # which can still be looked at
        return
    _require(identity, found, directory.name)
    root = datasets.root(found.data).absolute()
    if str(root) not in (known, str(config.data.root)):
        with Run.open(directory, writable=True) as run:
            run.commit(Delta(flags={ROOT: str(root)}))


def move(run: Run, root: Path) -> Fingerprint:
    """Write down where a run's data lie now, once they are found to be the same.

    A run without a fingerprint gets that of these data.

    Raises:
        DataChangedError: They are others.
        DataMissingError: There are none.
        StoreError: The run is open for reading only, or the disk refused.
    """
    config = with_root(changes.config_of(run), root.absolute())
    if not datasets.is_there(config.data):
        raise DataMissingError(f"{root} does not hold {config.data.name}: name the folder that `data.root` would name")
    identity = datasets.require_same(frozen(run), config.data)
    run.commit(Delta(flags={ROOT: str(root.absolute()), IDENTITY: identity.to_json()}))
    return identity


def _require(identity: Fingerprint, config: Config, name: str) -> None:
    try:
        datasets.require_same(identity, config.data)
    except DataMissingError as error:
        raise DataMissingError(
            f"{error}; if the data lie elsewhere now, say where: nasd data {name} --root FOLDER"
        ) from error
