"""The experiments' figures, by matplotlib, which is imported only when one is drawn."""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasd.errors import NasdError
from nasd.experiments.measuring import Measured
from nasd.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = dict(zip(("top", "low", "mid"), style.COLOURS, strict=False))


def require() -> None:
    """Say now, not after hours of jobs, that no figure can be drawn.

    Raises:
        NasdError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise NasdError("a figure needs matplotlib: pip install 'nasd[plot]', or ask for none with --no-figure")


def draw_spread(rows: Sequence[Measured], name: str) -> "Figure":
    """Hypothesis 2: every repeat's reward as a dot, the search's own as a line, an architecture a column."""
    figure, axes = style.new_figure(8, 4.5)
    for place, row in enumerate(rows):
        axes.plot([place] * len(row.rewards), row.rewards, "o", color=COLOURS[row.group], alpha=0.6)
        axes.hlines(row.search_reward, place - 0.35, place + 0.35, color=style.INK, linewidth=1)
    _label(axes, rows)
    axes.set_title(f"{name}: weights drawn anew (dots) and in the search (lines)")
    return figure


def draw_gain(rows: Sequence[Measured], name: str) -> "Figure":
    """Hypothesis 3: from a deep prior's reward (ring) to those of full training (dots), an architecture a column."""
    figure, axes = style.new_figure(8, 4.5)
    for place, row in enumerate(rows):
        colour, before = COLOURS[row.group], row.search_reward
        axes.vlines(place, min(before, *row.rewards), max(before, *row.rewards), color=colour, alpha=0.4)
        axes.plot([place] * len(row.rewards), row.rewards, "o", color=colour)
        axes.plot([place], [before], "o", color=colour, markerfacecolor="white")
    _label(axes, rows)
    axes.set_title(f"{name}: deep priors (rings) and fully trained (dots)")
    return figure


def _label(axes: "Axes", rows: Sequence[Measured]) -> None:
    groups = list(dict.fromkeys(row.group for row in rows))
    middles = []
    for group in groups:
        places = [place for place, row in enumerate(rows) if row.group == group]
        middles.append(sum(places) / len(places))
        if places[0] > 0:
            axes.axvline(places[0] - 0.5, color=style.FAINT, linewidth=1)
    axes.set_xticks(middles, groups)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("reward: validation accuracy")
    style.percent_axis(axes.yaxis)
    axes.grid(visible=True, axis="y", color=style.FAINT)
    axes.set_axisbelow(True)
