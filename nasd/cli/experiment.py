"""`nasd experiment`: the paper's experiments on the architectures that a run has found."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import protocol
from nasd.cli.options import PRIORITY, run_argument
from nasd.client import Client, Target
from nasd.experiments import Measured, figures, measure, write_csv
from nasd.experiments.h2 import spread
from nasd.experiments.h3 import gain
from nasd.experiments.selection import GROUPS, Choice
from nasd.pictures import style
from nasd.protocol import QueueJobParams
from store.errors import disk_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EACH = click.option("--each", type=click.IntRange(1, 100), default=6, show_default=True, help="Of low, mid and top.")
_EPOCHS = click.option("--epochs", type=click.IntRange(1, protocol.MAX_EPOCHS), help="The run's unless given.")
_PRIORITY = click.option("--priority", type=PRIORITY, default=0, show_default=True, help="Of the jobs.")
_DEVICE = click.option("--device", help="Such as cuda:1 or cpu: the jobs run there, beside the search.")
_TO = click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder.")
_AGAIN = click.option("--again", is_flag=True, help="Queue new jobs, even if this experiment was made before.")
_FIGURE = click.option("--no-figure", is_flag=True, help="Do without matplotlib.")


@click.group("experiment")
def experiment_command() -> None:
    """Test a hypothesis of the paper: jobs, then a CSV, a figure and a sentence.

    The jobs are the daemon's: interrupt this command as you like, the same one takes them up again.
    """


@experiment_command.command("h2")
@run_argument
@click.option(
    "--repeats",
    type=click.IntRange(2, protocol.MAX_REPEATS),
    default=5,
    show_default=True,
    help="Times the weights are drawn.",
)
@_EACH
@_EPOCHS
@_PRIORITY
@_DEVICE
@_TO
@_AGAIN
@_FIGURE
def h2_command(
    run: str | None,
    repeats: int,
    each: int,
    epochs: int | None,
    priority: int,
    device: str | None,
    folder: Path,
    again: bool,
    no_figure: bool,
) -> None:
    """Hypothesis 2, no initialisation lottery: do new weights change how good an architecture is?"""
    params = QueueJobParams(repeats=repeats, epochs=epochs, priority=priority, device=device)
    rows = _carry_out(run, "h2", each, params, folder, again, None if no_figure else figures.draw_spread)
    click.echo(str(spread(rows)))


@experiment_command.command("h3")
@run_argument
@click.option(
    "--repeats",
    type=click.IntRange(1, protocol.MAX_REPEATS),
    default=1,
    show_default=True,
    help="Trainings of each architecture.",
)
@_EACH
@_EPOCHS
@_PRIORITY
@_DEVICE
@_TO
@_AGAIN
@_FIGURE
def h3_command(
    run: str | None,
    repeats: int,
    each: int,
    epochs: int | None,
    priority: int,
    device: str | None,
    folder: Path,
    again: bool,
    no_figure: bool,
) -> None:
    """Hypothesis 3, no further inference needed: how much does training the encoder too add?"""
    params = QueueJobParams(repeats=repeats, epochs=epochs, priority=priority, device=device, full=True)
    rows = _carry_out(run, "h3", each, params, folder, again, None if no_figure else figures.draw_gain)
    click.echo(str(gain(rows)))


def _carry_out(
    run: str | None,
    label: str,
    each: int,
    params: QueueJobParams,
    folder: Path,
    again: bool,
    draw: "Callable[[Sequence[Measured], str], Figure] | None",
) -> tuple[Measured, ...]:
    """Have the jobs done, and write the table and the figure."""
    if draw is not None:
        figures.require()
    with disk_errors(folder, "make a folder for the results"):  # now, not after hours of jobs
        folder.mkdir(parents=True, exist_ok=True)
    name, rows = _measured(run, label, each, params, again=again)
    path = folder / f"{name}-{label}.csv"
    write_csv(path, rows)
    click.echo(f"{len(rows)} architectures in {path}")
    if draw is not None:
        figure = path.with_suffix(".png")
        style.save(figure, lambda: draw(rows, name))
        click.echo(f"figure in {figure}")
    return rows


def _measured(
    run: str | None, label: str, each: int, params: QueueJobParams, *, again: bool
) -> tuple[str, tuple[Measured, ...]]:
    """The run's name and what was measured, with a bar while it is waited for."""
    with Client.connect(Target.parse(run)) as client:
        name = client.status().name
        with click.progressbar(length=1000, label=f"{name} {label}", show_pos=False) as bar:
            rows = measure(
                client,
                label,
                Choice(GROUPS, each),
                params,
                again=again,
                on_progress=lambda share: bar.update(round(1000 * share) - bar.pos),
            )
    return name, rows
