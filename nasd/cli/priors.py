"""The options that name a deep prior, for commands that compute with one again."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from nasd.errors import NasdError

if TYPE_CHECKING:
    from nasd.config import Config
    from nasd.export.deep_prior import DeepPrior
    from store import Run, Trial

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--trial",
        type=click.IntRange(1),
        help="The trial whose architecture and weights are taken; the best unless given.",
    ),
    click.option("--net", help="An architecture string instead."),
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of the weights; the trial's unless given."),
    click.option(
        "--dataset",
        help="Another data set than the run's, scaled to the run's image size; names as `data.name` takes them.",
    ),
    click.option(
        "--all-samples", is_flag=True, help="Every training image, also where the search took a part of them."
    ),
    click.option("--data-root", type=click.Path(file_okay=False, path_type=Path), help="The folder of data sets."),
    click.option(
        "--statistics",
        type=click.Choice(["batch", "population"]),
        help="Of the batch norms; the run's unless given.",
    ),
    click.option("--device", help="Such as cpu or cuda:0; the run's first unless given."),
)


def prior_options(command: F) -> F:
    """Give a command the options that `find_prior` takes as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_prior(
    run: "Run",
    *,
    trial: int | None,
    net: str | None,
    seed: int | None,
    dataset: str | None,
    all_samples: bool,
    data_root: Path | None,
    statistics: Literal["batch", "population"] | None,
    device: str | None,
) -> "DeepPrior":
    """The deep prior that the options name. Sets torch's threads to those of the run's workers.

    Raises:
        NasdError: There is no such trial, or the architecture or the device cannot be used.
    """
    if trial is not None and net is not None:
        raise click.UsageError("give one of --trial and --net")
    import torch  # noqa: PLC0415 - seconds, after the options were looked at

    from nasd import rooms  # noqa: PLC0415
    from nasd.box.devices import workers_of  # noqa: PLC0415
    from nasd.export.deep_prior import DeepPrior  # noqa: PLC0415
    from nasd.runs import changes  # noqa: PLC0415
    from nasd.runs import data as run_data  # noqa: PLC0415
    from nasd.seeding import trial_seed  # noqa: PLC0415
    from nasd.spaces.base import GrammarError  # noqa: PLC0415

    chosen = find_trial(run, trial) if net is None else None
    config = run_data.located(run, changes.config_of(run, None if chosen is None else chosen.order))
    try:
        architecture = rooms.space(config).parse(chosen.net if chosen is not None else net or "")
    except GrammarError as error:
        raise NasdError(str(error)) from error
    if seed is None:
        known = None if chosen is None else chosen.seed
        seed = trial_seed(config.seed, 0 if chosen is None else chosen.number) if known is None else known
    # As a worker would: the number of threads shows in the last bits.
    worker, threads = workers_of(config.executor)[0]
    torch.set_num_threads(threads)
    return DeepPrior(
        architecture,
        seed,
        _with_options(config, dataset, data_root, statistics, all_samples=all_samples),
        None if chosen is None else chosen.micro_batch,
        _usable(device or worker),
        run_data.frozen(run) if dataset in (None, config.data.name) else None,
    )


def find_trial(run: "Run", number: int | None) -> "Trial":
    """A trial, for a duplicate its original; the best one if no number is given.

    Raises:
        NasdError: There is no such trial.
    """
    if number is None:
        best = run.best(1)
        if not best:
            raise NasdError(f"{run.path.name} has no evaluated trial yet: wait for one, or give --net")
        return best[0]
    trial = run.trial(number)
    if trial is None:
        raise NasdError(f"{run.path.name} has no trial {number}: its newest is {run.count()}")
    if trial.duplicate_of is not None:
        return run.trial(trial.duplicate_of) or trial
    return trial


def _with_options(
    config: "Config", dataset: str | None, data_root: Path | None, statistics: str | None, *, all_samples: bool
) -> "Config":
    from nasd.config.data import data_sets  # noqa: PLC0415

    data: dict[str, Any] = {}
    if dataset is not None and dataset != config.data.name:
        if dataset not in (known := data_sets()):
            raise click.UsageError(f"there is no data set {dataset}; there are {', '.join(known)}")
        data = {"name": dataset, "image_size": config.space.patch_size}
    if all_samples:
        data["train_samples"] = None
    if data_root is not None:
        data["root"] = data_root
    encoder = {} if statistics is None else {"batch_norm_statistics": statistics}
    return config.model_copy(
        update={"data": config.data.model_copy(update=data), "encoder": config.encoder.model_copy(update=encoder)}
    )


def _usable(device: str) -> str:
    import torch  # noqa: PLC0415

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise NasdError(f"the device {device} cannot be used: {str(error).splitlines()[0]}") from error
    return device
