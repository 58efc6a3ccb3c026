"""What a search said of architectures, against what they reach when they are trained from scratch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nasd.errors import NasdError
from nasd.pictures.style import COLOURS, FAINT, headline, new_figure, percent_axis
from nasd.runs.from_scratch import Ranking, ranking
from store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "osD^vP*X"


class Ranked(NamedTuple):
    """A run, and its trainings from scratch."""

    name: str
    ranking: Ranking


def of_run(directory: Path) -> Ranked:
    """The trainings of a run. Raises NasdError if none is done."""
    with Run.open(directory) as run:
        found = ranking(run.jobs())
    if not found.trained:
        raise NasdError(f"{directory.name} has no trainings from scratch that are done: nasd enas derive queues them")
    return Ranked(directory.name, found)


def draw_ranking(shown: Sequence[Ranked]) -> "Figure":
    """A dot an architecture: a marker for each run, a colour for each group."""
    figure, axes = new_figure(7.2, 5.2)
    groups = sorted({one.group for of_run in shown for one in of_run.ranking.trained})
    for place, (name, found) in enumerate(shown):
        correlation = "" if found.correlation is None else f", rank correlation {found.correlation:+.2f}"
        for number, group in enumerate(groups):
            mine = [one for one in found.trained if one.group == group]
            axes.scatter(
                [one.expected for one in mine], [one.validation for one in mine], s=38, color=COLOURS[number],
                marker=MARKERS[place % len(MARKERS)],
                label=f"{name}: {len(mine)} {group}{correlation if number == 0 else ''}",
                zorder=3, linewidths=0,
            )  # fmt: skip
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("accuracy by the search")
    axes.set_ylabel("accuracy from scratch (validation)")
    axes.legend(fontsize=8.5, loc="lower right")
    headline(figure, "Trained from scratch")
    return figure
