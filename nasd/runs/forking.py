"""`nasd fork`: a new run that stands where another one stood."""

import shutil
from pathlib import Path

from nasd import __version__, paths
from nasd import config as configuration
from nasd.runs import changes
from nasd.runs.changing import change
from store import Run


def fork(run: Run, at: int, name: str, settings: tuple[str, ...] = ()) -> Path:
    """Fork a run under another name.

    Args:
        run: Open; its daemon may work on it.
        at: How many trials to take, in the order of observation.
        name: Of the new run, which also names its directory.
        settings: `section.key=value` each: with what it goes on from there.

    Returns:
        The new directory.

    Raises:
        ConfigError: The name cannot be used, `config.yaml` is not what the run was created with, or the search cannot
            go on with the settings; there is no new run then.
        StoreError: As `Run.fork`.
    """
    renamed = configuration.rename(changes.config_with(run, ()), name)
    changes.require_as_created(run)
    target = paths.home() / renamed.name
    paths.socket_path(target)  # refuses a path that is too long before anything is made
    forked = run.fork(target, at=at, name=renamed.name, version=__version__, config_yaml=configuration.dump(renamed))
    try:
        with forked:
            if settings:
                change(forked, settings, forked=True)
    except BaseException:
        shutil.rmtree(target)
        raise
    return target
