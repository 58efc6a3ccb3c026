"""Commands about jobs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import protocol
from nasd.cli.options import NUMBER, PRIORITY, json_option, run_argument
from nasd.cli.output import percent, print_json, print_table, printable
from nasd.client import Client, Target
from nasd.errors import NasdError, NotRunningError
from nasd.experiments.selection import Choice, candidates, select

if TYPE_CHECKING:
    from nasd.runs.published.replay import ReplayRow


@click.command("jobs")
@run_argument
@click.option("--cancel", type=NUMBER, metavar="JOB", help="Cancel a job that waits or runs.")
@click.option("--move", type=(NUMBER, PRIORITY), metavar="JOB PRIORITY", help="Change a queued job's priority.")
@click.option("--pause", type=NUMBER, metavar="JOB", help="Hold a job back; a running one stops at once.")
@click.option("--resume", type=NUMBER, metavar="JOB", help="Let a paused job go on where it was.")
@json_option
def jobs_command(
    run: str | None,
    cancel: int | None,
    move: tuple[int, int] | None,
    pause: int | None,
    resume: int | None,
    as_json: bool,
) -> None:
    """List the queue and the jobs that have ended, also of a stopped run, or change one."""
    request = _request(cancel, move, pause, resume)
    if request is not None:
        with Client.connect(Target.parse(run)) as client:
            job: protocol.JobRow = client.call(*request)
        print_json(job) if as_json else click.echo(f"job {job.id} is {_state(job)}, priority {job.priority}")
        return
    page = _listed(Target.parse(run), protocol.JobsParams(limit=protocol.MAX_PAGE))
    if as_json:
        print_json(page.rows)
    elif not page.rows:
        click.echo("There are no jobs. Queue one: nasd retrain --trial N")
    else:
        print_table(
            ("JOB", "STATUS", "PRIORITY", "DONE", "TEST", "WHAT"),
            [
                (
                    str(j.id),
                    _state(j),
                    str(j.priority),
                    percent(j.progress),
                    percent((j.result or {}).get("mean_test_accuracy")),
                    printable(f"{j.kind} {j.summary}" + (f": {j.reason}" if j.reason else "")),
                )
                for j in page.rows
            ],
            right=(0, 2, 3, 4),
        )
        for note in page.notes:
            click.echo(note)


def _listed(target: Target, params: protocol.JobsParams) -> protocol.JobPage:
    try:
        with Client.connect(target, files=True) as client:
            page: protocol.JobPage = client.call("jobs", params)
    except NotRunningError:
        if target.directory is None:  # it is elsewhere
            raise
        from nasd.daemon import job_rows  # noqa: PLC0415 - only where no daemon answers
        from store import Run  # noqa: PLC0415

        with Run.open(target.directory) as stopped:
            return job_rows.page(stopped.jobs(), params)
    return page


def _request(
    cancel: int | None, move: tuple[int, int] | None, pause: int | None, resume: int | None
) -> tuple[str, protocol.Params] | None:
    """What to ask of the daemon; None: the list."""
    requests: list[tuple[str, protocol.Params]] = []
    if cancel is not None:
        requests.append(("cancel_job", protocol.JobParams(id=cancel)))
    if move is not None:
        requests.append(("move_job", protocol.MoveJobParams(id=move[0], priority=move[1])))
    if pause is not None:
        requests.append(("move_job", protocol.MoveJobParams(id=pause, priority=None, paused=True)))
    if resume is not None:
        requests.append(("move_job", protocol.MoveJobParams(id=resume, priority=None, paused=False)))
    if len(requests) > 1:
        raise click.UsageError("give one of --cancel, --move, --pause and --resume")
    return requests[0] if requests else None


def _state(job: protocol.JobRow) -> str:
    return "paused" if job.paused else job.status


@click.command("retrain")
@run_argument
@click.option("--trial", type=NUMBER, help="The trial whose architecture is evaluated again.")
@click.option("--net", help="An architecture string.")
@click.option(
    "--csv",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A replay buffer of the published code, instead of RUN's trials.",
)
@click.option("--index", type=click.IntRange(0), help="The row of --csv, the first one is 0 as in the published code.")
@click.option(
    "--select", "selection", metavar="GROUPS:N", help="Several architectures, a job each: low,mid,top:6 are six each."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, protocol.MAX_REPEATS),
    default=1,
    show_default=True,
    help="Each with new random weights.",
)
@click.option("--epochs", type=click.IntRange(1, protocol.MAX_EPOCHS), help="The run's unless given.")
@click.option("--priority", type=PRIORITY, default=0, show_default=True, help="Higher runs first.")
@click.option("--full", is_flag=True, help="Train the encoder too, and keep the weights in RUN/weights.")
@click.option("--store-embedding", is_flag=True, help="Keep the embeddings, in RUN/exports/jobs.")
@click.option("--device", help="Such as cuda:1 or cpu: run there beside the search, not between two trials.")
@json_option
def retrain_command(
    run: str | None,
    trial: int | None,
    net: str | None,
    path: Path | None,
    index: int | None,
    selection: str | None,
    repeats: int,
    epochs: int | None,
    priority: int,
    full: bool,
    store_embedding: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Queue jobs: evaluate architectures again with freshly drawn weights."""
    if sum(given is not None for given in (trial, net, index, selection)) != 1 or (index is not None and path is None):
        raise click.UsageError("give one of --trial, --net, --csv with --index, and --select (of RUN, or of a --csv)")
    if path is not None and (trial is not None or net is not None):
        raise click.UsageError("--csv goes with --index or --select")
    choice = None if selection is None else Choice.parse(selection)
    rows = None if path is None else _read(path)
    if rows is not None and index is not None:
        if index >= len(rows):
            last = f"its last one is {len(rows) - 1}" if rows else "it has none"
            raise NasdError(f"{path} has no row {index}: {last}")
        net = rows[index].net
    with Client.connect(Target.parse(run)) as client:
        chosen: tuple[protocol.Selected, ...] = ()
        if choice is not None:
            found = (
                candidates(client) if rows is None else (protocol.Selected(net=r.net, reward=r.reward) for r in rows)
            )
            chosen = select(found, choice)
        job: protocol.JobRow = client.call(
            "queue_job",
            protocol.QueueJobParams(
                trial=trial,
                net=net,
                selection=chosen,
                repeats=repeats,
                epochs=epochs,
                priority=priority,
                full=full,
                store_embedding=store_embedding,
                device=device,
            ),
        )
    if as_json:
        print_json(job)
    elif chosen:
        click.echo(f"queued jobs {job.id} to {job.id + len(chosen) - 1}; see them: nasd jobs")
    else:
        click.echo(f"queued job {job.id}: {printable(job.summary)}")


def _read(path: Path) -> "list[ReplayRow]":
    from nasd.runs.published import replay  # noqa: PLC0415 - the other ways to name an architecture do without

    return replay.read(path)
