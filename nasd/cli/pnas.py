"""Commands for progressive search over cells: predictions of any number of blocks, and rankings of files."""

import heapq
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import paths
from nasd.cli.elsewhere import Reading
from nasd.cli.options import run_argument
from nasd.cli.output import percent, print_table, printable
from nasd.errors import NasdError
from nasd.spaces.cells.cell import MAX_BLOCKS, OPERATORS, blocks_text

if TYPE_CHECKING:
    from nasd.runs.scoring import Scored, Scoring


@click.group("pnas")
def pnas_command() -> None:
    """Predictions and rankings of cells (progressive search)."""


@pnas_command.command("score", cls=Reading)
@run_argument
@click.option("--blocks", type=click.IntRange(1, MAX_BLOCKS), required=True, help="Of the cells, also above the run's.")
@click.option("--top", type=click.IntRange(1, 1_000_000), help="Only so many of the best, best first.")
@click.option("--all", "everything", is_flag=True, help="Every cell, in the order of cells.")
@click.option("--operators", multiple=True, type=click.Choice(OPERATORS), help="Instead of the run's; several times.")
@click.option("--published", is_flag=True, help="Write the published form, without a header.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The new CSV file."
)
def score_command(
    run: str | None,
    blocks: int,
    top: int | None,
    everything: bool,
    operators: tuple[str, ...],
    published: bool,
    output: Path,
) -> None:
    """Predict the rewards of all cells of a number of blocks, by the run's surrogate fitted to all its trials."""
    from nasd.runs import scoring  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    if (top is None) != everything:
        raise click.UsageError("give one of --top and --all")
    with Run.open(paths.find_run(run)) as opened:
        prepared = scoring.prepare(opened, blocks, tuple(dict.fromkeys(operators)))
    click.echo(
        f"{prepared.count:,} cells of {blocks_text(blocks)}, scored from {prepared.learned_from:,} rewards", err=True
    )
    prepared.require_end(written=top is None)
    with click.progressbar(length=prepared.count, label="scoring", file=sys.stderr) as bar:
        count = _write(prepared, top, published, output, lambda done: bar.update(done - bar.pos))
    click.echo(f"{count:,} rows in {output}")


def _write(prepared: "Scoring", top: int | None, published: bool, output: Path, tell: Callable[[int], None]) -> int:
    from nasd.runs import ranked  # noqa: PLC0415
    from nasd.runs.published.cells import write_scores  # noqa: PLC0415

    cells: Iterable[Scored] = prepared.every(tell) if top is None else prepared.best(top, tell)
    if published:
        space = prepared.space
        pairs = ((one.prediction, space.parse(one.net)) for one in cells)
        return write_scores(output, pairs, looks_back=space.config.lookback > 1 or space.config.lookforward != 0)
    rows = (ranked.RankedRow(one.prediction, "predicted", one.net, prepared.blocks, one.spread) for one in cells)
    return ranked.write(output, rows, ranked=top is not None)


@pnas_command.command("rank")
@click.argument("files", nargs=-1, required=True)
@click.option("--sort", "ascending", is_flag=True, help="The worst first, as the published script sorts.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Cells that are shown.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="All of them as a CSV file.")
def rank_command(files: tuple[str, ...], ascending: bool, top: int, output: Path | None) -> None:
    """Rank the cells of FILES, best first: histories and scores of the published code, and ours; patterns are taken.

    Measured scores and predictions are told apart.
    """
    from nasd.runs import ranked  # noqa: PLC0415

    found = ranked.paths_of(files)
    if output is not None and output in found:
        raise NasdError(f"{output} is one of the files to rank: choose another --output")
    rows = (row for file in found for row in ranked.read(file))
    if output is None:
        choose = heapq.nsmallest if ascending else heapq.nlargest
        shown = choose(top, rows, key=lambda row: row.score)
    else:
        every = sorted(rows, key=lambda row: row.score, reverse=not ascending)
        shown = every[:top]
        click.echo(f"{ranked.write(output, every, ranked=not ascending):,} rows in {output}", err=True)
    print_table(
        ("RANK", "SCORE", "KIND", "STD", "BLOCKS", "CELL"),
        [
            (str(rank), percent(row.score), row.kind, "" if row.spread is None else percent(row.spread),
             str(row.blocks), printable(row.cell))
            for rank, row in enumerate(shown, 1)
        ],
        right=(0, 1, 3, 4),
    )  # fmt: skip
