"""Commands that take results out of runs and into new ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasd import config as configuration
from nasd import paths
from nasd.cli.elsewhere import Reading
from nasd.cli.options import name_option, run_argument, set_option
from nasd.cli.output import size
from nasd.cli.priors import prior_options
from nasd.errors import NasdError

if TYPE_CHECKING:
    from store.embeddings import Embedding


@click.group("export")
def export_command() -> None:
    """Write a run's results in other formats."""


@export_command.command("csv", cls=Reading)
@run_argument
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder.")
@click.option(
    "--percent", is_flag=True, help="Accuracies in percent, as the published DP-NAS code writes and reads them."
)
def export_csv_command(run: str | None, folder: Path, percent: bool) -> None:
    """The search's tables as CSV files with the published columns: its replay buffer, its Q-values."""
    from nasd.runs.tables import export, names  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        for what in names(opened):
            path = folder / f"{directory.name}-{what.replace('_', '-')}.csv"
            rows = export(opened, what, path, unit="percent" if percent else "fraction")
            click.echo(f"{rows} rows in {path}")


@export_command.command("trials", cls=Reading)
@run_argument
@click.option("--to", "form", type=click.Choice(["csv", "parquet"]), required=True, help="The format.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The new file.")
def export_trials_command(run: str | None, form: str, output: Path | None) -> None:
    """The table of trials, whatever the strategy: `nasd.open(RUN).trials()` as a file."""
    from nasd.runs.opened import Opened, write_trials  # noqa: PLC0415

    opened = Opened(paths.find_run(run))
    output = output or Path(f"{opened.path.name}-trials.{form}")
    rows = write_trials(opened, output, form)
    click.echo(f"{rows} rows in {output}")


@export_command.command("embeddings", cls=Reading)
@run_argument
@click.option("--trial", type=click.IntRange(1), help="A trial whose embedding the run keeps, or `nasd embed` wrote.")
@click.option("--embedding", type=click.Path(path_type=Path), help="An embedding's folder instead.")
@click.option("--to", "form", type=click.Choice(["npy-folder", "npz", "parquet"]), required=True, help="The format.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file or folder.")
def export_embeddings_command(
    run: str | None, trial: int | None, embedding: Path | None, form: str, output: Path | None
) -> None:
    """An embedding as .npy files in class folders, as one .npz, or as parquet."""
    from nasd import export  # noqa: PLC0415
    from store.embeddings import Embedding  # noqa: PLC0415
    from store.files import disk_usage  # noqa: PLC0415

    if (trial is None) == (embedding is None):
        raise click.UsageError("give one of --trial and --embedding")
    source = Embedding(embedding) if embedding is not None else _kept(run, trial or 0)
    write = {"npy-folder": export.npy_folder, "npz": export.npz, "parquet": export.parquet}[form]
    output = output or Path(source.path.stem + {"npy-folder": "-npy", "npz": ".npz", "parquet": "-parquet"}[form])
    write(source, output)
    click.echo(f"{size(disk_usage(output) or output.stat().st_size)} in {output}")


def _kept(run: str | None, trial: int) -> "Embedding":
    """A trial's embedding: the one that the search kept, else what `nasd embed` made of it."""
    from nasd.cli.priors import find_trial  # noqa: PLC0415
    from store import Run  # noqa: PLC0415
    from store.embeddings import Embedding  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        number = find_trial(opened, trial).number
        if number in opened.embeddings.kept():
            return opened.embeddings.open(number)
    made = directory / "exports" / f"trial-{trial:06}.zarr"
    if made.is_dir():
        return Embedding(made)
    raise NasdError(f"{directory.name} keeps no embedding of trial {trial}: make it with `nasd embed --trial {trial}`")


@export_command.command("model", cls=Reading)
@run_argument
@prior_options
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .safetensors or .pt2 file.")
def export_model_command(run: str | None, output: Path | None, **chosen: Any) -> None:
    """A deep prior with its batch norms' statistics: .safetensors, or .pt2 (torch.export, runs without nasd)."""
    from nasd.cli.priors import find_prior  # noqa: PLC0415
    from nasd.export.model import export_model  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    with Run.open(paths.find_run(run)) as opened:
        prior = find_prior(opened, **chosen)
    named = "best" if chosen["net"] is None else "net"
    stem = named if chosen["trial"] is None else f"trial-{chosen['trial']:06}"
    output = output or Path(f"{stem}.safetensors")
    export_model(prior, output)
    click.echo(f"{size(output.stat().st_size)} in {output}")


@export_command.command("network", cls=Reading)
@run_argument
@click.option("--trial", type=click.IntRange(1), help="The epoch of the supernet; the best unless given.")
@click.option("--packed", is_flag=True, help="Binary weights as bits, batch norms folded: for inference.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .safetensors or .pt2 file.")
def export_network_command(run: str | None, trial: int | None, packed: bool, output: Path | None) -> None:
    """The architecture that an epoch of a supernet derived, with its shared weights; .pt2 runs without nasd."""
    from nasd.cli.priors import find_trial  # noqa: PLC0415
    from nasd.export.supernet import export  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    with Run.open(paths.find_run(run)) as opened:
        chosen = find_trial(opened, trial)
        output = output or Path(f"trial-{chosen.number:06}.safetensors")
        export(opened, chosen, output, pack=packed)
    click.echo(f"{chosen.net}, {size(output.stat().st_size)} in {output}")


@click.group("import")
def import_command() -> None:
    """Make runs from other people's results."""


@import_command.command("csv")
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--replay-buffer", type=click.Path(dir_okay=False, path_type=Path), help="Of Q-learning: what it has evaluated."
)
@click.option("--q-values", type=click.Path(dir_okay=False, path_type=Path), help="Of Q-learning: its Q-values.")
@click.option("--counted", type=click.IntRange(0), help="Position in the epsilon schedule; else the rewards above 0.")
@click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), help="Of progressive search: its train_history.csv."
)
@name_option
@set_option
def import_csv_command(
    config: Path,
    replay_buffer: Path | None,
    q_values: Path | None,
    counted: int | None,
    history: Path | None,
    name: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Go on with a search of published code: its files become a run of CONFIG."""
    from nasd.runs import create  # noqa: PLC0415
    from nasd.runs.published.taking_over import create_from_csv, create_from_history  # noqa: PLC0415

    if (replay_buffer is None) == (history is None):
        raise click.UsageError("give one of --replay-buffer and --history")
    if history is not None and (q_values is not None or counted is not None):
        raise click.UsageError("--q-values and --counted go with --replay-buffer")
    named = (configuration.name_override(name),) if name else ()
    settled = create.settle(configuration.load(config, (*overrides, *named)))
    directory = paths.home() / settled.name
    if (directory / paths.DATABASE_NAME).exists():
        raise NasdError(f"there is a run {settled.name} already: choose another --name")
    if history is not None:
        trials = create_from_history(settled, directory, history)
    else:
        assert replay_buffer is not None
        trials = create_from_csv(settled, directory, replay_buffer, q_values, counted)
    click.echo(f"{settled.name} holds {trials} imported trials, in {directory}")
    click.echo(f"  go on      nasd start {settled.name}")
