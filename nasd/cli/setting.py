"""`nasd set`: a run goes on with more trials, other workers, another timeout."""

import click

from nasd import paths
from nasd.errors import RunLockedError


@click.command("set")
@click.argument("arguments", metavar="[RUN] SECTION.KEY=VALUE...", nargs=-1, required=True)
def set_command(arguments: tuple[str, ...]) -> None:
    """Change what no trial so far rests on: how long RUN searches, its workers, their limits, disk and log.

    A finished search with more trials goes on at its next start. RUN must not be running.
    """
    from nasd.runs.changing import change  # noqa: PLC0415
    from store import Run, is_owned  # noqa: PLC0415

    run, settings = (None, arguments) if "=" in arguments[0] else (arguments[0], arguments[1:])
    if not settings:
        raise click.UsageError("name at least one SECTION.KEY=VALUE, such as search.trials=200")
    directory = paths.find_run(run)
    if is_owned(directory):
        name = directory.name
        raise RunLockedError(f"{name} is running: nasd stop {name}, then set it, and nasd start {name} goes on with it")
    with Run.open(directory, writable=True) as opened:
        lines = change(opened, settings)
    for line in lines or ("nothing is changed: the run has these values",):
        click.echo(line)
    if lines:
        click.echo(f"  go on      nasd start {directory.name}")
