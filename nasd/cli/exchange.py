"""Commands that take results out of runs and into new ones."""

from pathlib import Path

import click

from nasd import config as configuration
from nasd import paths
from nasd.cli.options import name_option, run_argument, set_option
from nasd.errors import NasdError


@click.group("export")
def export_command() -> None:
    """Write a run's results in other formats."""


@export_command.command("csv")
@run_argument
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder.")
@click.option(
    "--percent", is_flag=True, help="Accuracies in percent, as the published DP-NAS code writes and reads them."
)
def export_csv_command(run: str | None, folder: Path, percent: bool) -> None:
    """Replay buffer and Q-values as CSV files with the published columns."""
    from nasd.exchange import export  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        for what in ("replay_buffer", "q_values"):
            path = folder / f"{directory.name}-{what.replace('_', '-')}.csv"
            rows = export(opened, what, path, unit="percent" if percent else "fraction")
            click.echo(f"{rows} rows in {path}")


@click.group("import")
def import_command() -> None:
    """Make runs from other people's results."""


@import_command.command("csv")
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replay-buffer", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--q-values", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--counted", type=click.IntRange(0), help="Position in the epsilon schedule; else the rewards above 0.")
@name_option
@set_option
def import_csv_command(
    config: Path,
    replay_buffer: Path,
    q_values: Path | None,
    counted: int | None,
    name: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Go on with a search of the published code: its replay buffer and Q-values become a run of CONFIG."""
    from nasd.daemon import create  # noqa: PLC0415
    from nasd.exchange import create_from_csv  # noqa: PLC0415

    named = (configuration.name_override(name),) if name else ()
    settled = create.settle(configuration.load(config, (*overrides, *named)))
    directory = paths.home() / settled.name
    if (directory / paths.DATABASE_NAME).exists():
        raise NasdError(f"there is a run {settled.name} already: choose another --name")
    trials = create_from_csv(settled, directory, replay_buffer, q_values, counted)
    click.echo(f"{settled.name} holds {trials} imported trials, in {directory}")
    click.echo(f"  go on      nasd start {settled.name}")
