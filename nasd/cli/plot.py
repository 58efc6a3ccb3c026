"""Commands that draw: figures of searches and architectures, and a page about a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nasd import paths
from nasd.cli.elsewhere import Reading
from nasd.cli.options import run_argument
from nasd.errors import NasdError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nasd.experiments import Measured
    from nasd.pictures.insight import Axis
    from nasd.pictures.source import Search
    from store import Run

F = TypeVar("F", bound=Callable[..., Any])

runs_argument: Callable[[F], F] = click.argument("runs", nargs=-1)
output_option: Callable[[F], F] = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A .png, .svg or .pdf file.",
)
csv_option: Callable[[F], F] = click.option(
    "--csv",
    "files",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="A replay buffer of the published code instead of a run; may be given several times.",
)


@click.group("plot")
def plot_command() -> None:
    """Draw a search as PNG, SVG or PDF."""


@plot_command.command("rewards", cls=Reading)
@runs_argument
@csv_option
@output_option
def rewards_command(runs: tuple[str, ...], files: tuple[Path, ...], output: Path) -> None:
    """The mean reward of the last 20 architectures with the epsilon phases; of several runs, compared."""
    from nasd.pictures.rewards import draw_rewards  # noqa: PLC0415

    _write(output, lambda: draw_rewards(_searches(runs, files)))


@plot_command.command("leaderboard", cls=Reading)
@runs_argument
@csv_option
@click.option("--top", type=click.IntRange(1, 60), default=15, show_default=True, help="Architectures of a single run.")
@output_option
def leaderboard_command(runs: tuple[str, ...], files: tuple[Path, ...], top: int, output: Path) -> None:
    """The best architectures of a run; of several runs, their rankings in one figure."""
    from nasd.pictures.leaderboard import draw_leaderboard  # noqa: PLC0415

    _write(output, lambda: draw_leaderboard(_searches(runs, files), top))


@plot_command.command("phases", cls=Reading)
@runs_argument
@csv_option
@output_option
def phases_command(runs: tuple[str, ...], files: tuple[Path, ...], output: Path) -> None:
    """How the rewards of each epsilon phase are distributed."""
    from nasd.pictures.phases import draw_phases  # noqa: PLC0415

    if len(runs) + len(files) > 1:
        raise click.UsageError("phases are drawn of one run")
    _write(output, lambda: draw_phases(_searches(runs, files)[0]))


@plot_command.command("best", cls=Reading)
@runs_argument
@csv_option
@output_option
def best_command(runs: tuple[str, ...], files: tuple[Path, ...], output: Path) -> None:
    """The best reward so far beside the mean of the last 20."""
    from nasd.pictures.insight import draw_best  # noqa: PLC0415

    if len(runs) + len(files) > 1:
        raise click.UsageError("the best so far is drawn of one run")
    _write(output, lambda: draw_best(_searches(runs, files)[0]))


@plot_command.command("pareto", cls=Reading)
@run_argument
@click.option(
    "--against",
    type=click.Choice(["parameters", "embedding", "seconds"]),
    default="parameters",
    show_default=True,
    help="What is to be low.",
)
@output_option
def pareto_command(run: str | None, against: "Axis", output: Path) -> None:
    """Reward against size or time, with the trials that no other beats in both."""
    from nasd.pictures.insight import draw_pareto, of_run  # noqa: PLC0415

    with _opened(run) as opened:
        learned = of_run(opened)
    _write(output, lambda: draw_pareto(learned, against))


@plot_command.command("importance", cls=Reading)
@run_argument
@output_option
def importance_command(run: str | None, output: Path) -> None:
    """What each decision about an architecture is worth: its importance, and the effects of its values."""
    from nasd.pictures.insight import draw_importance, of_run  # noqa: PLC0415

    with _opened(run) as opened:
        learned = of_run(opened)
    _write(output, lambda: draw_importance(learned))


@plot_command.command("choices", cls=Reading)
@run_argument
@output_option
def choices_command(run: str | None, output: Path) -> None:
    """The controller's choices over the epochs of a supernet, a stripe a unit."""
    from nasd.pictures.choices import draw_choices, of_run  # noqa: PLC0415

    _write(output, lambda: draw_choices(of_run(paths.find_run(run))))


@plot_command.command("ranking", cls=Reading)
@runs_argument
@output_option
def ranking_command(runs: tuple[str, ...], output: Path) -> None:
    """What searches said of architectures, against what these reach when they are trained from scratch (ENAS)."""
    from nasd.pictures.ranking import draw_ranking, of_run  # noqa: PLC0415

    found = [of_run(paths.find_run(run)) for run in runs or (None,)]
    _write(output, lambda: draw_ranking(found))


@plot_command.command("levels", cls=Reading)
@run_argument
@click.option(
    "--csv",
    "files",
    multiple=True,
    metavar="FILE",
    help="Histories and scores, published or ours, instead of a run; several times, patterns are taken.",
)
@output_option
def levels_command(run: str | None, files: tuple[str, ...], output: Path) -> None:
    """Scores of cells by level, measured and predicted told apart."""
    from nasd.pictures.levels import draw_levels, of_run  # noqa: PLC0415
    from nasd.runs import ranked  # noqa: PLC0415

    if run is not None and files:
        raise click.UsageError("levels are drawn of a run or of files (--csv)")
    if files:
        found = ranked.paths_of(files)
        name = found[0].name if len(found) == 1 else f"{len(found)} files"
        _write(output, lambda: draw_levels((row for file in found for row in ranked.read(file)), name))
        return
    with _opened(run) as opened:
        rows, name = of_run(opened), opened.path.name
    _write(output, lambda: draw_levels(rows, name))


@plot_command.command("q-values", cls=Reading)
@run_argument
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Q-values of the published code instead of a run.",
)
@output_option
def q_values_command(run: str | None, file: Path | None, output: Path) -> None:
    """What the search has learned each choice to be worth, layer by layer."""
    from nasd.pictures.q_values import draw_q_values, of_csv, of_run  # noqa: PLC0415

    if run is not None and file is not None:
        raise click.UsageError("Q-values are drawn of a run or of a --csv")
    if file is not None:
        name, choices = file.stem, of_csv(file)
    else:
        with _opened(run) as opened:
            name, choices = opened.path.name, of_run(opened)
    _write(output, lambda: draw_q_values(choices, name))


@plot_command.command("h2", cls=Reading)
@run_argument
@output_option
def h2_command(run: str | None, output: Path) -> None:
    """Hypothesis 2, from the newest `nasd experiment h2` that has ended."""
    from nasd.experiments.figures import draw_spread  # noqa: PLC0415

    name, rows = _experiment(run, "h2")
    _write(output, lambda: draw_spread(rows, name))


@plot_command.command("h3", cls=Reading)
@run_argument
@output_option
def h3_command(run: str | None, output: Path) -> None:
    """Hypothesis 3, from the newest `nasd experiment h3` that has ended."""
    from nasd.experiments.figures import draw_gain  # noqa: PLC0415

    name, rows = _experiment(run, "h3")
    _write(output, lambda: draw_gain(rows, name))


@plot_command.command("architecture", cls=Reading)
@run_argument
@click.option("--trial", type=click.IntRange(1), help="Its trial; the best unless given.")
@click.option("--net", help="An architecture string instead.")
@click.option(
    "--with",
    "by",
    type=click.Choice(["graphviz", "own"]),
    help="What draws it; unless given graphviz where its `dot` is installed, else our own.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A .svg, .png or .pdf file; .dot is a text for graphviz.",
)
def architecture_command(run: str | None, trial: int | None, net: str | None, by: str | None, output: Path) -> None:
    """An architecture, layer by layer. Our own drawing is to scale, and as SVG needs no other library."""
    from nasd import rooms  # noqa: PLC0415
    from nasd.cli.priors import find_trial  # noqa: PLC0415
    from nasd.pictures import graphviz, style  # noqa: PLC0415
    from nasd.pictures.architecture import draw_architecture  # noqa: PLC0415
    from nasd.runs.changes import config_of  # noqa: PLC0415
    from nasd.spaces.base import GrammarError  # noqa: PLC0415

    if trial is not None and net is not None:
        raise click.UsageError("give one of --trial and --net")
    style.check_suffix(output, (*style.SUFFIXES, ".dot"))
    with _opened(run) as opened:
        space = rooms.space(config_of(opened))
        title = opened.path.name
        if net is None:
            chosen = find_trial(opened, trial)
            net, title = chosen.net, f"{opened.path.name}, trial {chosen.number}"
    try:
        graph = space.graph(space.parse(net))
    except GrammarError as error:
        raise NasdError(str(error)) from error
    form = output.suffix.lower()[1:]
    text = graphviz.dot(graph, net, title)
    if form == "dot":
        content: bytes | None = text.encode()
    else:
        content = None if by == "own" else _by_graphviz(text, form, required=by == "graphviz")
    if content is None:
        drawing = draw_architecture(graph, net, title)
        if form == "svg":
            content = drawing.svg()
        else:
            with style.styled():
                content = drawing.rendered(form)
    style.write(content, output)
    click.echo(f"wrote {output}")


def _by_graphviz(text: str, form: str, *, required: bool) -> bytes | None:
    """None where graphviz is not there, or fails and is not `required`."""
    from nasd.pictures import graphviz  # noqa: PLC0415

    if not required and not graphviz.installed():
        return None
    try:
        return graphviz.render(text, form)
    except NasdError as error:
        if required:
            raise
        click.echo(f"{error}; drawn without it", err=True)
        return None


@click.command("report", cls=Reading)
@run_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="RUN.html unless given.")
@click.option("--against", multiple=True, metavar="RUN", help="Compare with this run too; may be given several times.")
def report_command(run: str | None, output: Path | None, against: tuple[str, ...]) -> None:
    """One HTML page about a run: figures, leaderboard, configuration, provenance. It opens from a file."""
    from nasd.cli.compare import read_groups  # noqa: PLC0415
    from nasd.runs import report  # noqa: PLC0415

    with _opened(run) as opened:
        output = output or Path(f"{opened.path.name}.html")
        report.write(opened, output, read_groups((str(opened.path), *against)) if against else ())
    click.echo(f"wrote {output}")


@contextmanager
def _opened(run: str | None) -> "Iterator[Run]":
    from store import Run  # noqa: PLC0415

    with Run.open(paths.find_run(run)) as opened:
        yield opened


def _searches(runs: tuple[str, ...], files: tuple[Path, ...]) -> "list[Search]":
    """What is to be drawn: the runs, then the files; without any the only run there is."""
    from nasd.pictures.source import of_csv, of_run  # noqa: PLC0415

    found = []
    for run in runs if runs or files else (None,):
        with _opened(run) as opened:
            found.append(of_run(opened))
    return found + [of_csv(file) for file in files]


def _experiment(run: str | None, label: str) -> "tuple[str, tuple[Measured, ...]]":
    """The run's name and what its newest experiment has measured."""
    from nasd.experiments import measured  # noqa: PLC0415

    with _opened(run) as opened:
        return opened.path.name, measured(opened, label)


def _write(output: Path, draw: "Callable[[], Figure]") -> None:
    from nasd.pictures import style  # noqa: PLC0415

    style.save(output, draw)
    click.echo(f"wrote {output}")
