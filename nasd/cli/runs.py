"""Commands about whole runs: check, fork, take CSV files out and in."""

from dataclasses import asdict
from pathlib import Path

import click

from nasd import __version__, paths
from nasd import config as configuration
from nasd.cli.options import json_option, name_option, run_argument, set_option
from nasd.cli.output import print_json
from nasd.errors import ConfigError, NasdError


@click.command("verify")
@run_argument
@json_option
def verify_command(run: str | None, as_json: bool) -> None:
    """Check every file of a run, and replay its trials: the Q-table must come out the same, bit for bit.

    Works while the search runs. Exit code 1 if anything is wrong.
    """
    from nasd.verify import MismatchError, replay  # noqa: PLC0415
    from store import Run, verify  # noqa: PLC0415

    directory = paths.find_run(run)
    replayed = 0
    with Run.open(directory) as opened:
        problems = [asdict(problem) for problem in verify.check(opened)]
        try:
            for _ in replay(opened):
                replayed += 1
        except (MismatchError, ConfigError) as error:
            problems.append({"where": "replay", "what": str(error)})
        digest = verify.digest(opened)
    if as_json:
        print_json({"run": directory.name, "trials": replayed, "digest": digest, "problems": problems})
    else:
        for problem in problems:
            click.echo(click.style(f"wrong: {problem['where']}: {problem['what']}", fg="red"))
        if not problems:
            click.echo(f"{directory.name} is sound: {replayed} trials replayed, the Q-table agrees bit for bit")
        click.echo(f"digest {digest}")
    if problems:
        raise click.exceptions.Exit(1)


@click.command("fork")
@run_argument
@click.option("--at", type=click.IntRange(0), required=True, help="Take the first N observed trials.")
@click.option("--name", help="Of the new run; RUN-at-N unless given.")
def fork_command(run: str | None, at: int, name: str | None) -> None:
    """Make a new run that stands where RUN stood after its N-th trial. RUN may be running."""
    from store import Run  # noqa: PLC0415

    source = paths.find_run(run)
    with Run.open(source) as opened:
        config = configuration.parse(opened.config, source=str(source / "config.yaml"))
        renamed = configuration.rename(config, name or f"{source.name}-at-{at}")
        target = paths.home() / renamed.name
        paths.socket_path(target)
        opened.fork(
            target, at=at, name=renamed.name, version=__version__, config_yaml=configuration.dump(renamed)
        ).close()
    click.echo(f"{renamed.name} stands after trial {at} of {source.name}, in {target}")
    click.echo(f"  go on      nasd start {renamed.name}")


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
