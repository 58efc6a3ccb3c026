"""The experiments' figures, by matplotlib, which is imported only when one is drawn."""

import importlib.util
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nasd.errors import NasdError
from nasd.experiments.measuring import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"low": "#c44e52", "mid": "#dd8452", "top": "#4c72b0"}


def require() -> None:
    """Say now, not after hours of jobs, that no figure can be drawn.

    Raises:
        NasdError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise NasdError("a figure needs matplotlib: pip install 'nasd[plot]', or ask for none with --no-figure")


def draw_spread(path: Path, rows: Sequence[Measured], title: str) -> None:
    """Hypothesis 2: every repeat's reward as a dot, the search's own as a line, an architecture a column.

    Raises:
        OSError: The disk refused.
    """

    def draw(axes: "Axes") -> None:
        for place, row in enumerate(rows):
            colour = COLOURS[row.group]
            axes.plot([place] * len(row.rewards), [100 * r for r in row.rewards], "o", color=colour, alpha=0.6)
            axes.hlines(100 * row.search_reward, place - 0.35, place + 0.35, color="black", linewidth=1)
        axes.set_ylabel("reward: validation accuracy in %")
        _name_groups(axes, rows)
        axes.set_title(f"{title}: weights drawn anew (dots) and in the search (lines)")

    _write(path, draw)


def draw_gain(path: Path, rows: Sequence[Measured], title: str) -> None:
    """Hypothesis 3: from the deep prior's reward (ring) to those of its full training (dots), an architecture a column.

    Raises:
        OSError: The disk refused.
    """

    def draw(axes: "Axes") -> None:
        for place, row in enumerate(rows):
            colour, before, after = COLOURS[row.group], 100 * row.search_reward, [100 * r for r in row.rewards]
            axes.vlines(place, min(before, *after), max(before, *after), color=colour, alpha=0.4)
            axes.plot([place] * len(after), after, "o", color=colour)
            axes.plot([place], [before], "o", color=colour, markerfacecolor="white")
        axes.set_ylabel("reward: validation accuracy in %")
        _name_groups(axes, rows)
        axes.set_title(f"{title}: deep priors (rings) and fully trained (dots)")

    _write(path, draw)


def _name_groups(axes: "Axes", rows: Sequence[Measured]) -> None:
    groups = list(dict.fromkeys(row.group for row in rows))
    middles = []
    for group in groups:
        places = [place for place, row in enumerate(rows) if row.group == group]
        middles.append(sum(places) / len(places))
        if places[0] > 0:
            axes.axvline(places[0] - 0.5, color="lightgrey", linewidth=1)
    axes.set_xticks(middles, groups)
    axes.grid(visible=True, axis="y", alpha=0.3)


def _write(path: Path, draw: Callable[["Axes"], None]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    from store import files  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(path, content.getvalue())
