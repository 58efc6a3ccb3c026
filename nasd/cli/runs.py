"""Commands about whole runs: check, fork."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nasd import paths
from nasd.cli.elsewhere import Reading
from nasd.cli.options import json_option, run_argument, set_option
from nasd.cli.output import print_json
from nasd.errors import NasdError

if TYPE_CHECKING:
    from store import Run


@click.command("verify", cls=Reading)
@run_argument
@json_option
def verify_command(run: str | None, as_json: bool) -> None:
    """Check every file of a run, and replay its trials: the Q-table must come out the same, bit for bit.

    Works while the search runs. Exit code 1 if anything is wrong.
    """
    from nasd.runs.verify import examine  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        report = examine(opened)
    if as_json:
        print_json({"run": directory.name, **asdict(report)})
    else:
        for problem in report.problems:
            click.echo(click.style(f"wrong: {problem.where}: {problem.what}", fg="red"))
        if not report.problems:
            click.echo(
                f"{directory.name} is sound: {report.trials} trials replayed, all that was learned agrees bit for bit"
            )
        click.echo(f"digest {report.digest}" if report.digest else "there is no digest of what cannot be read")
    if report.problems:
        raise click.exceptions.Exit(1)


@click.command("fork")
@run_argument
@click.option("--at", type=click.IntRange(0), required=True, help="Take the first N observed trials.")
@click.option("--name", help="Of the new run; RUN-at-N unless given.")
@set_option
def fork_command(run: str | None, at: int, name: str | None, overrides: tuple[str, ...]) -> None:
    """Make a new run that stands where RUN stood after its N-th trial. RUN may be running.

    With --set it goes on under another config from there; its first N trials stay as they are.
    """
    from nasd.runs.forking import fork  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    source = paths.find_run(run)
    with Run.open(source) as opened:
        _require_files(opened, at)
        target = fork(opened, at, name or f"{source.name}-at-{at}", overrides)
    click.echo(f"{target.name} stands after trial {at} of {source.name}, in {target}")
    click.echo(f"  go on      nasd start {target.name}")


def _require_files(run: "Run", at: int) -> None:
    """Refuse a fork whose next trial reads a file that the run does not keep any more. Raises NasdError."""
    kept = run.files.referred_to()
    for proposal in run.proposals(after=at):
        reads = proposal.facts.get("reads")
        if reads is not None and reads not in kept:
            raise NasdError(
                f"{run.path.name} cannot be forked at {at}: {reads}, which the next trial reads, was dropped. Kept are "
                f"{', '.join(sorted(kept))}; search.keep_every keeps more"
            )
