"""What was changed of a run's config after it was made: `nasd set`, `nasd fork --set`.

`config.yaml` stays as it was created. Each change is an entry of one flag in the run's database, which seals cover and
snapshots and forks take along. It says after which trial it took effect and is committed together with the proposals
that it calls for, so that a replay makes it at the same point.
"""

from dataclasses import dataclass
from typing import Any

from nasd import config as configuration
from nasd.config import Config
from nasd.errors import ConfigError
from store import DamagedError, Run

FLAG = "changes"  # `store.making` takes those along that a fork has come past
BEFORE_ALL = -1
"""Where a change stands that was made before anything was proposed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One `nasd set`."""

    at: int  # trials observed by then; BEFORE_ALL: nothing had been proposed
    learned: int  # payloads committed by then
    settings: tuple[str, ...]  # `section.key=value` each


def of_flags(run: Run, flags: dict[str, Any]) -> tuple[Change, ...]:
    """The changes in the order in which they were made.

    Raises:
        DamagedError: The flag holds something else.
    """
    try:
        found = [
            Change(int(entry["at"]), int(entry["learned"]), tuple(map(str, entry["settings"])))
            for entry in flags.get(FLAG, ())
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{run.path / 'run.db'} is damaged: its list of changes is none ({error})") from error
    return tuple(found)


def config_with(run: Run, changes: tuple[Change, ...]) -> Config:
    """What is in `config.yaml` now, and these changes over it. See `require_as_created`.

    Raises:
        ConfigError: It cannot be read.
    """
    overrides = tuple(setting for change in changes for setting in change.settings)
    return configuration.parse(run.config, overrides, source=str(run.path / "config.yaml"))


def config_of(run: Run, trial: int | None = None) -> Config:
    """The config that holds now, or when the `trial`-th trial in the order of observation was observed.

    Raises:
        ConfigError: It cannot be read, or `config.yaml` is not what the run was created with.
        StoreError: The run cannot be read.
    """
    made = of_flags(run, run.flags())
    config = config_with(run, made if trial is None else tuple(change for change in made if change.at < trial))
    require_as_created(run)
    return config


def text_of(run: Run) -> str:
    """The config that holds now as YAML: the run's own file where nothing was changed. Raises as `config_of`."""
    config = config_of(run)
    return configuration.dump(config) if run.flags().get(FLAG) else run.config


def require_as_created(run: Run) -> None:
    """Refuse a `config.yaml` that is not the search's: what is computed with it would not be the search's either.

    Raises:
        ConfigError: It was changed.
        StoreError: It cannot be read.
    """
    if not run.config_is_as_created:
        raise ConfigError(
            f"{run.path / 'config.yaml'} was changed after the run was created: put back what was there, or make "
            "another run with it"
        )
