"""Commands for searches of a supernet: train what it derived from scratch, and see whether shared weights rank."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import paths, protocol
from nasd.cli.elsewhere import Reading
from nasd.cli.options import json_option, run_argument
from nasd.cli.output import percent, print_json, print_table
from nasd.client import Client, Target
from nasd.errors import NasdError

if TYPE_CHECKING:
    from nasd.runs.opening import Search
    from store import Run


@click.group("enas")
def enas_command() -> None:
    """Derived architectures trained from scratch, and what shared weights say of them (ENAS)."""


@enas_command.command("derive")
@run_argument
@click.option("--random", "drawn", type=click.IntRange(0, 100), default=0, show_default=True,
              help="So many architectures drawn at random besides, to compare with.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1, protocol.MAX_EPOCHS), help="The run's training.epochs unless given.")
@click.option("--repeats", type=click.IntRange(1, protocol.MAX_REPEATS), default=1, show_default=True)
def derive_command(run: str | None, drawn: int, epochs: int | None, repeats: int) -> None:
    """Queue full trainings of the best derived architectures (search.derive) that have none, and of random ones.

    A search queues the derived ones itself when it has finished. The run's daemon does the work: nasd start.
    """
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        selection = chosen(opened, drawn)
    if not selection:
        raise NasdError(f"all derived architectures of {directory.name} have such jobs already: nasd enas ranking")
    with Client.connect(Target(directory=directory)) as client:
        job: protocol.JobRow = client.call(
            "queue_job",
            protocol.QueueJobParams(
                selection=selection, repeats=repeats, epochs=epochs, label=protocol.FROM_SCRATCH, full=True
            ),
        )
    click.echo(f"queued jobs {job.id} to {job.id + len(selection) - 1}; when they are done: nasd enas ranking")


@enas_command.command("ranking", cls=Reading)
@run_argument
@json_option
def ranking_command(run: str | None, as_json: bool) -> None:
    """Compare shared-weight accuracies with those from scratch: rank correlation, derived against random ones."""
    from nasd.runs import from_scratch  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        found = from_scratch.ranking(opened.jobs())
    if not found.trained:
        raise NasdError(f"{directory.name} has no such jobs that are done: nasd enas derive queues them")
    if as_json:
        rows = [asdict(one) for one in found.trained]
        print_json({"correlation": found.correlation, "mean_test": found.mean_test, "architectures": rows})
        return
    print_table(
        ("group", "shared", "validation", "test", "architecture"),
        [
            (one.group, percent(one.expected), percent(one.validation), percent(one.test), one.net)
            for one in found.trained
        ],
    )
    click.echo()
    for sentence in found.sentences:
        click.echo(sentence)


def chosen(run: "Run", drawn: int) -> tuple[protocol.Selected, ...]:
    """The best derived architectures and some drawn at random, with their accuracy by the newest shared weights; none
    of which there is a training from scratch already.

    Raises:
        NasdError: The run is no search of a supernet, or no epoch came to its end.
    """
    import numpy as np  # noqa: PLC0415

    from nasd.export.shared_weights import shared_accuracies  # noqa: PLC0415
    from nasd.runs.opening import search_of  # noqa: PLC0415
    from nasd.seeding import derive  # noqa: PLC0415
    from nasd.strategies.enas.strategy import DERIVED, Enas  # noqa: PLC0415

    search: Search = search_of(run)
    if not isinstance(search.strategy, Enas):
        raise NasdError(f"{Path(run.path).name} is a search by {search.config.search.strategy}, not by enas")
    best, space = search.strategy.derived, search.strategy.space
    known = {job.params["net"] for job in run.jobs() if job.params.get("label") == protocol.FROM_SCRATCH}
    nets = {one.net: one.number for one in best if one.net not in known}
    taken = known | {one.net for one in best}
    random, others = np.random.default_rng(derive(search.config.seed, "compared with")), list[str]()
    while len(others) < min(drawn, space.count - len(taken)):
        net = str(space.sample(random))
        if net not in taken and net not in others:
            others.append(net)
    accuracies = shared_accuracies(run, [space.parse(net) for net in (*nets, *others)])
    groups = [(DERIVED, net, number) for net, number in nets.items()] + [("random", net, None) for net in others]
    return tuple(
        protocol.Selected(net=net, trial=number, group=group, reward=accuracy)
        for (group, net, number), accuracy in zip(groups, accuracies, strict=True)
    )
