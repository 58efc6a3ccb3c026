"""The rolling reward with its stages (DP-NAS, arXiv 2104.06788, figure 2), and several searches compared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasd.pictures.source import WINDOW, Phase, Search
from nasd.pictures.style import BAND, COLOURS, GREY, new_figure, percent_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_rewards(searches: Sequence[Search]) -> "Figure":
    """One search with every reward and its phases, or the rolling rewards of several.

    Raises:
        NasdError: One has fewer than 20 trials.
    """
    figure, axes = new_figure(9, 4.6)
    if len(searches) == 1:
        _one(axes, searches[0])
    else:
        _several(axes, searches)
    axes.set_xlabel("architectures")
    axes.set_ylabel("reward (mean validation accuracy)")
    percent_axis(axes.yaxis)
    return figure


def _one(axes: "Axes", search: Search) -> None:
    from matplotlib.collections import PathCollection  # noqa: PLC0415

    rolling, count = search.rolling, len(search.rewards)
    shade_stages(axes, search.phases, count)
    dots, size = np.arange(1, count + 1), min(max(3000 / count, 6), 30)
    axes.scatter(
        dots,
        search.rewards,
        s=size,
        color=COLOURS[4],
        alpha=0.45 if size < 20 else 0.8,
        linewidths=0,
        label="one architecture",
    )
    axes.plot(np.arange(WINDOW, count + 1), rolling, color=COLOURS[0], linewidth=2, label=f"mean of the last {WINDOW}")
    best = int(np.argmax(search.rewards))
    axes.scatter(
        [best + 1], [search.rewards[best]], s=46, facecolors="none", edgecolors=COLOURS[1], linewidths=1.6, zorder=4,
        label=f"best: {100 * search.rewards[best]:.1f} %",
    )  # fmt: skip
    axes.set_xlim(0, count + 1)
    # Early failures must not press everything else together: at most 2 % of the dots may lie below.
    low = float(np.quantile(search.rewards, 0.02))
    spread = max(float(search.rewards.max()) - low, 0.02)
    axes.set_ylim(max(low - 0.1 * spread, 0), min(search.rewards.max() + 0.08 * spread, 1.005))
    axes.set_title(f"{search.name}: reward of the search", pad=24)
    legend = axes.legend(loc="lower right", ncols=3, columnspacing=1.4, handletextpad=0.5, frameon=True, framealpha=0.9,
                edgecolor="none")  # fmt: skip
    dot = legend.legend_handles[0]
    if isinstance(dot, PathCollection):  # too small and pale to be seen there
        dot.set_sizes([26])
        dot.set_alpha(1)


def shade_stages(axes: "Axes", phases: Sequence[Phase], count: int) -> None:
    """Alternately shaded stages, their label above where there is room."""
    for number, phase in enumerate(phases):
        if number % 2:
            axes.axvspan(phase.start + 0.5, phase.stop + 0.5, color=BAND, zorder=0, linewidth=0)
        if phase.stop - phase.start >= 0.03 * count:
            text = phase.label if phase.stop - phase.start >= 0.06 * count else phase.label.rpartition("=")[2]
            axes.text(
                (phase.start + phase.stop + 1) / 2, 1.015, text, transform=axes.get_xaxis_transform(),
                ha="center", va="bottom", fontsize=9, color=GREY,
            )  # fmt: skip


def _several(axes: "Axes", searches: Sequence[Search]) -> None:
    ends = []
    for number, search in enumerate(searches):
        rolling, colour = search.rolling, COLOURS[number % len(COLOURS)]
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        axes.plot(np.arange(WINDOW, WINDOW + len(rolling)), rolling, color=colour, linewidth=2, linestyle=style)
        ends.append((WINDOW + len(rolling) - 1, float(rolling[-1]), search.name, colour))
    label_ends(axes, ends)
    axes.set_title(f"Rolling reward of {len(searches)} searches (mean of {WINDOW})")


def label_ends(axes: "Axes", ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names beside the ends (x, y, name, colour) of lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap, floor = 0.055 * (high - low), -np.inf
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        floor = max(y, floor + gap)
        axes.annotate(
            f" {name}", (x, y), (x, floor), color=colour, fontweight="bold", va="center", annotation_clip=False
        )  # fmt: skip
