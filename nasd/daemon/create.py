"""Making a run: what a config leaves open is settled once and frozen, so that every later start finds the same."""

from pathlib import Path

from nasd import __version__
from nasd import config as configuration
from nasd.config import Config
from nasd.daemon.supervisor import assign
from nasd.space import SearchSpace
from store import Run


def settle(config: Config) -> Config:
    """Fill in what depends on the data set and on this box: image size, channels, classes, data folder, lookahead.

    Raises:
        DataMissingError: The data set is not here and cannot be downloaded.
        ConfigError: No architecture fits its images.
    """
    from nasd import data as datasets  # noqa: PLC0415 - torch, two seconds; only a new run needs it

    datasets.prepare(config.data)
    size, channels, classes = datasets.describe(config.data)
    executor, search = config.executor, config.search
    lookahead = search.lookahead or len(assign(executor.devices, executor.workers_per_device, executor.threads))
    settled = config.model_copy(
        update={
            "data": config.data.model_copy(update={"root": datasets.root(config.data)}),
            "space": config.space.model_copy(update={"patch_size": size, "channels": channels, "num_classes": classes}),
            "search": search.model_copy(update={"lookahead": lookahead}),
        }
    )
    SearchSpace(settled.space)
    return settled


def create(config: Config, directory: Path) -> None:
    """Make the run directory of a settled config.

    Raises:
        StoreError: There is a run already, or the disk refuses.
    """
    Run.create(directory, configuration.dump(config), name=config.name, version=__version__).close()
