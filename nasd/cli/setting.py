"""`nasd set`: a run goes on with more trials, other workers, another timeout."""

from pathlib import Path

import click

from nasd import protocol
from nasd.client import Client, Target
from nasd.errors import NotRunningError, RunLockedError

PATIENCE = 600.0  # seconds: the daemon ends its step first, which a full disk may hold up


@click.command("set")
@click.argument("arguments", metavar="[RUN] SECTION.KEY=VALUE...", nargs=-1, required=True)
def set_command(arguments: tuple[str, ...]) -> None:
    """Change what no trial so far rests on: how long RUN searches, its workers, their limits, disk and log.

    A running search goes on with it after its next step; a finished one that is lengthened goes on, at its next start
    if it is stopped.
    """
    run, settings = (None, arguments) if "=" in arguments[0] else (arguments[0], arguments[1:])
    if not settings:
        raise click.UsageError("name at least one SECTION.KEY=VALUE, such as search.trials=200")
    target = Target.parse(run)
    lines = _ask(target, settings)
    if lines is None:
        assert target.directory is not None  # who is elsewhere answers, or there is an error
        lines = _change(target.directory, settings)
        if lines:
            lines.append(f"  go on      nasd start {target.directory.name}")
    for line in lines or ("nothing is changed: the run has these values",):
        click.echo(line)


def _ask(target: Target, settings: tuple[str, ...]) -> list[str] | None:
    """Have the run's daemon do it; None: there is none on this box."""
    from store import is_owned  # noqa: PLC0415 - msgspec and more

    try:
        client = Client.connect(target, timeout=PATIENCE)
    except NotRunningError as error:
        if target.directory is None:
            raise
        if is_owned(target.directory):
            raise RunLockedError(f"{target.directory.name} is running, but does not answer yet: try again") from error
        return None
    with client:
        answer: protocol.Changes = client.call("set", protocol.SetParams(settings=settings))
    return list(answer.lines)


def _change(directory: Path, settings: tuple[str, ...]) -> list[str]:
    from nasd.runs.changing import change  # noqa: PLC0415 - pydantic
    from nasd.runs.data import move  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    roots = [value for key, _, value in (setting.partition("=") for setting in settings) if key == "data.root"]
    rest = tuple(setting for setting in settings if not setting.startswith("data.root="))
    with Run.open(directory, writable=True) as run:
        lines = change(run, rest) if rest else []
        for root in roots:
            move(run, Path(root).expanduser())
            lines.append(f"data.root: {root} from now on, which holds the same data")
    return lines
