"""Commands for searches of a supernet: train what it derived from scratch, and see whether shared weights rank."""

import statistics
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

LABEL = "from scratch"


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
    """Queue full trainings of the best derived architectures (search.derive), by the daemon of a run that is served."""
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        selection = chosen(opened, drawn)
    with Client.connect(Target(directory=directory)) as client:
        job: protocol.JobRow = client.call(
            "queue_job",
            protocol.QueueJobParams(selection=selection, repeats=repeats, epochs=epochs, label=LABEL, full=True),
        )
    click.echo(f"queued jobs {job.id} to {job.id + len(selection) - 1}; when they are done: nasd enas ranking")


@enas_command.command("ranking", cls=Reading)
@run_argument
@json_option
def ranking_command(run: str | None, as_json: bool) -> None:
    """Compare shared-weight accuracies with those from scratch: rank correlation, derived against random ones."""
    from nasd.correlation import rank_correlation  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        jobs = [job for job in opened.jobs() if job.params.get("label") == LABEL and job.status == "done"]
    found = [(job.params["group"], job.params["net"], job.params["reward"], _accuracies(job.result)) for job in jobs]
    if len(found) < 2:
        raise NasdError(f"{directory.name} has {len(found)} such jobs that are done: nasd enas derive queues them")
    found.sort(key=lambda one: -one[3][0])
    correlation = rank_correlation([one[2] for one in found], [one[3][0] for one in found])
    means = {
        group: statistics.fmean(one[3][1] for one in found if one[0] == group)
        for group in sorted({f[0] for f in found})
    }
    if as_json:
        rows = [
            {"group": group, "net": net, "shared": shared, "validation": validation, "test": test}
            for group, net, shared, (validation, test) in found
        ]
        print_json({"correlation": correlation, "mean_test": means, "architectures": rows})
        return
    print_table(
        ("group", "shared", "validation", "test", "architecture"),
        [(group, percent(shared), percent(one), percent(test), net) for group, net, shared, (one, test) in found],
    )
    click.echo(
        f"\nrank correlation of shared weights and from scratch: {correlation:+.2f} ({len(found)} architectures)"
    )
    for group, mean in means.items():
        click.echo(f"mean test accuracy of {group} ones: {percent(mean)}")


def chosen(run: "Run", drawn: int) -> tuple[protocol.Selected, ...]:
    """The best derived architectures and some drawn at random, with their accuracy by the newest shared weights.

    Raises:
        NasdError: The run is no search of a supernet, or no epoch came to its end.
    """
    import numpy as np  # noqa: PLC0415

    from nasd.export.shared_weights import shared_accuracies  # noqa: PLC0415
    from nasd.runs.opening import search_of  # noqa: PLC0415
    from nasd.seeding import derive  # noqa: PLC0415
    from nasd.strategies.enas.strategy import Enas  # noqa: PLC0415

    search: Search = search_of(run)
    if not isinstance(search.strategy, Enas):
        raise NasdError(f"{Path(run.path).name} is a search by {search.config.search.strategy}, not by enas")
    best, space = search.strategy.derived, search.strategy.space
    nets = {one.net: one.number for one in best}
    random, others = np.random.default_rng(derive(search.config.seed, "compared with")), list[str]()
    while len(others) < min(drawn, space.count - len(nets)):
        net = str(space.sample(random))
        if net not in nets and net not in others:
            others.append(net)
    accuracies = shared_accuracies(run, [space.parse(net) for net in (*nets, *others)])
    groups = [("derived", net, number) for net, number in nets.items()] + [("random", net, None) for net in others]
    return tuple(
        protocol.Selected(net=net, trial=number, group=group, reward=accuracy)
        for (group, net, number), accuracy in zip(groups, accuracies, strict=True)
    )


def _accuracies(result: dict[str, object] | None) -> tuple[float, float]:
    """Mean best validation accuracy and mean test accuracy over the repeats."""
    repeats: list[dict[str, float]] = (result or {}).get("repeats", [])  # type: ignore[assignment]
    return (
        statistics.fmean(repeat["best_validation"] or 0.0 for repeat in repeats),
        statistics.fmean(repeat["test_accuracy"] or 0.0 for repeat in repeats),
    )
