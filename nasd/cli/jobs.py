"""Commands about jobs."""

import click

from nasd import protocol
from nasd.cli.options import json_option, run_argument
from nasd.cli.output import percent, print_json, print_table, printable
from nasd.client import Client, Target


@click.command("jobs")
@run_argument
@click.option("--cancel", type=int, metavar="JOB", help="Cancel a job that waits or runs.")
@json_option
def jobs_command(run: str | None, cancel: int | None, as_json: bool) -> None:
    """List the queue and the jobs that have ended."""
    with Client.connect(Target.parse(run)) as client:
        if cancel is not None:
            job: protocol.JobRow = client.call("cancel_job", protocol.JobParams(id=cancel))
            print_json(job) if as_json else click.echo(f"job {job.id} is {job.status}")
            return
        page: protocol.JobPage = client.call("jobs", protocol.JobsParams(limit=protocol.MAX_PAGE))
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
                    j.status,
                    str(j.priority),
                    percent(j.progress),
                    percent((j.result or {}).get("mean_test_accuracy")),
                    printable(f"{j.kind} {j.summary}" + (f": {j.reason}" if j.reason else "")),
                )
                for j in page.rows
            ],
            right=(0, 2, 3, 4),
        )


@click.command("retrain")
@run_argument
@click.option("--trial", type=int, help="The trial whose architecture is evaluated again.")
@click.option("--net", help="An architecture string.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Each with new random weights.")
@click.option("--epochs", type=click.IntRange(1), help="The run's unless given.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher runs first.")
@json_option
def retrain_command(
    run: str | None,
    trial: int | None,
    net: str | None,
    repeats: int,
    epochs: int | None,
    priority: int,
    as_json: bool,
) -> None:
    """Queue a job: evaluate an architecture again with freshly drawn weights."""
    if (trial is None) == (net is None):
        raise click.UsageError("give one of --trial and --net")
    params = protocol.QueueJobParams(trial=trial, net=net, repeats=repeats, epochs=epochs, priority=priority)
    with Client.connect(Target.parse(run)) as client:
        job: protocol.JobRow = client.call("queue_job", params)
    if as_json:
        print_json(job)
    else:
        click.echo(f"queued job {job.id}: {printable(job.summary)}")
