"""Searches compared: best and mean reward by trial and by seconds, and how likely one is ahead of another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasd.errors import NasdError
from nasd.pictures.rewards import label_ends
from nasd.pictures.style import COLOURS, GREY, headline, percent_axis
from nasd.runs.compare import LEVEL, WINDOW, Group, Measure, Series, by_seconds, by_trial, probability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS: dict[Measure, str] = {"best": "best reward so far", "mean": f"mean reward of the last {WINDOW}"}


def draw_comparison(groups: Sequence[Group]) -> "Figure":
    """Lines are means over a group's runs, bands their bootstrap intervals.

    Raises:
        NasdError: There are fewer than two groups.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    if len(groups) < 2:
        raise NasdError("all these runs are of one search with several seeds: name runs of another one too")
    figure = Figure(figsize=(11, 10), layout="constrained")
    panels: Any = figure.subplot_mosaic([["best", "best s"], ["mean", "mean s"], ["beats", "beats"]])
    colours = {one.label: COLOURS[number % len(COLOURS)] for number, one in enumerate(groups)}
    for measure, words in _WORDS.items():
        _draw(panels[measure], [(one.label, by_trial(one, measure)) for one in groups], colours)
        _draw(panels[f"{measure} s"], [(one.label, by_seconds(one, measure)) for one in groups], colours)
        panels[measure].set_xlabel("trials that count")
        panels[f"{measure} s"].set_xlabel("seconds of evaluation")
        panels[measure].set_ylabel(words)
    panels["best"].legend(loc="lower right")
    _draw_probabilities(panels["beats"], groups, colours)
    runs = ", ".join(f"{one.label}: {len(one.runs)}" for one in groups)
    headline(figure, f"Searches compared (runs of {runs}; bands {100 * LEVEL:g} % over runs)")
    return figure


def _draw(axes: "Axes", lines: Sequence[tuple[str, Series]], colours: dict[str, str]) -> None:
    for label, series in lines:
        axes.fill_between(series.at, series.low, series.high, color=colours[label], alpha=0.18, linewidth=0)
        axes.plot(series.at, series.mean, color=colours[label], linewidth=2, label=label)
    percent_axis(axes.yaxis)


def _draw_probabilities(axes: "Axes", groups: Sequence[Group], colours: dict[str, str]) -> None:
    """Each group against random search, or the first where there is none."""
    against = next((one for one in groups if one.runs[0].strategy == "random"), groups[0])
    ends = []
    for one in groups:
        if one is not against:
            values = probability(one, against)
            axes.step(range(1, len(values) + 1), values, where="post", color=colours[one.label], linewidth=2)
            ends.append((float(len(values)), float(values[-1]), one.label, colours[one.label]))
    axes.axhline(0.5, color=GREY, linewidth=1, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    label_ends(axes, ends)
    percent_axis(axes.yaxis)
    axes.set_xlabel("trials that count")
    axes.set_ylabel(f"probability of being\nahead of {against.label}")
