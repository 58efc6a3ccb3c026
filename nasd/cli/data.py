"""`nasd data`: which data a run was made with, and where they lie now."""

from pathlib import Path

import click

from nasd import paths
from nasd.cli.options import run_argument
from nasd.cli.output import size


@click.command("data")
@run_argument
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), help="The folder where the data lie now.")
def data_command(run: str | None, root: Path | None) -> None:
    """Which data RUN was made with; --root says where the same data lie now.

    They are compared by their fingerprint: classes, and the files' names, sizes and contents.
    """
    from nasd import data as datasets  # noqa: PLC0415
    from nasd.runs import changes, data  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory, writable=root is not None) as opened:
        if root is not None:
            data.move(opened, root)
        config = data.located(opened, changes.config_of(opened))
        identity = data.frozen(opened)
    click.echo(f"{config.data.name} in {datasets.root(config.data)}")
    if identity is None:
        click.echo("  no fingerprint yet: the run is older than these, and gets one when it is started")
        return
    click.echo(f"  {len(identity.classes)} classes, {identity.count:,} {identity.unit}s, {size(identity.size)}")
    click.echo(f"  sha256 {identity.digest}")
