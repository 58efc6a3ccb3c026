"""`nasd compare`: is one search better than another?"""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import paths
from nasd.cli.options import json_option
from nasd.cli.output import duration, print_json, print_table

if TYPE_CHECKING:
    from nasd.runs.compare import Group, Series


@click.command("compare")
@click.argument("runs", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A figure: .png, .svg or .pdf.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="All curves as a CSV file.")
@json_option
def compare_command(runs: tuple[str, ...], output: Path | None, table: Path | None, as_json: bool) -> None:
    """Best and mean rewards of searches, and how likely one beats another.

    Runs whose configs differ only in seed, name and where they run are one group; a band is over its runs, so give
    several of each.
    Runs of different data, or evaluated in different ways, are refused.
    """
    from nasd.pictures import style  # noqa: PLC0415
    from nasd.runs import compare, compare_csv  # noqa: PLC0415

    if output is not None:
        style.check_suffix(output)
    groups = read_groups(runs)
    trials = compare.shared_trials(groups)
    rows, facts = [], []
    for one in groups:
        best, mean = (compare.by_trial(one, measure) for measure in compare.MEASURES)
        at = trials - 1
        spent = sum(float(run.seconds[at]) for run in one.runs) / len(one.runs)
        rows.append((one.label, str(len(one.runs)), _band(best, at), _band(mean, at), duration(spent)))
        facts.append(
            {
                "group": one.label,
                "runs": [run.name for run in one.runs],
                "best": [float(v[at]) for v in (best.mean, best.low, best.high)],
                "mean": [float(v[at]) for v in (mean.mean, mean.low, mean.high)],
                "seconds": spent,
            }
        )
    duels = compare.duels(groups)
    if as_json:
        print_json({"trials": trials, "groups": facts, "duels": [asdict(one) for one in duels]})
    else:
        click.echo(f"after {trials} trials that count, {100 * compare.LEVEL:g} % intervals over runs in brackets")
        heads = ("SEARCH", "RUNS", "BEST REWARD", f"MEAN OF THE LAST {compare.WINDOW}", "EVALUATION")
        print_table(heads, rows, right=(1, 2, 3, 4))
        for end in duels:
            click.echo(
                f"{end.group} is ahead of {end.against} with probability {end.probability:.2f} "
                f"[{end.low:.2f}, {end.high:.2f}]"
            )
        if min(len(one.runs) for one in groups) < 5:
            click.echo("fewer than 5 runs of a search say little: run it again with another seed", err=True)
    if table is not None:
        style.write(compare_csv.table(groups).encode(), table)
        click.echo(f"wrote {table}", err=as_json)
    if output is not None:
        from nasd.pictures.comparison import draw_comparison  # noqa: PLC0415

        style.save(output, lambda: draw_comparison(groups))
        click.echo(f"wrote {output}", err=as_json)


def read_groups(runs: tuple[str, ...]) -> "tuple[Group, ...]":
    """The runs' groups. Raises NasdError, StoreError."""
    from nasd.runs import compare  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    with ExitStack() as stack:
        opened = [stack.enter_context(Run.open(paths.find_run(run))) for run in dict.fromkeys(runs)]
        return compare.group(compare.read(run) for run in opened)


def _band(series: "Series", at: int) -> str:
    mean, low, high = (100 * float(values[at]) for values in (series.mean, series.low, series.high))
    return f"{mean:.1f} % [{low:.1f}, {high:.1f}]"
