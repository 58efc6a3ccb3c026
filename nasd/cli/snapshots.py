"""Commands that put a run into one file, and make a run of one."""

import json
from pathlib import Path

import click

from nasd import config as configuration
from nasd import paths


@click.command("snapshot")
@click.argument("run")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def snapshot_command(run: str, file: Path) -> None:
    """Write RUN to one FILE, also while its search runs: the database, the config, the kept embeddings."""
    from store import snapshot  # noqa: PLC0415

    trials = snapshot.write(paths.find_run(run), file.absolute())
    click.echo(f"{trials} trials in {file} ({file.stat().st_size / 1e6:.1f} MB)")
    click.echo(f"  go on elsewhere   nasd restore {file}")


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", help="Of the run; the one in the snapshot unless given.")
def restore_command(file: Path, name: str | None) -> None:
    """Make a run of a snapshot. It is checked whole before it gets its name. A command that its config names
    (notify.command) is taken out: the snapshot may be somebody else's."""
    from nasd.runs import changes, changing  # noqa: PLC0415
    from store import Run, snapshot  # noqa: PLC0415

    def settle(text: str) -> tuple[str, str]:
        config = configuration.parse(text, source=f"config.yaml in {file}")
        if name is not None and name != config.name:
            config = configuration.rename(config, name)
            text = configuration.dump(config)
        paths.socket_path(paths.home() / config.name)
        return config.name, text

    directory = snapshot.restore(file, paths.home(), settle)
    with Run.open(directory, writable=True) as run:
        command = changes.config_of(run).notify.command
        if command:
            changing.change(run, ("notify.command=[]",))
    click.echo(f"{directory.name} is in {directory}")
    if command:
        # As JSON, which cannot write to the terminal, and which is YAML for `nasd set`.
        click.echo(f"  its notify.command was taken out; if you trust it:  {json.dumps(command)}")
    click.echo(f"  go on      nasd start {directory.name}")
