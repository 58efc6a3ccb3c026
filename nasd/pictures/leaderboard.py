"""The best architectures of one search, or the rankings of several."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasd.pictures.rewards import label_ends
from nasd.pictures.source import Search, require_trials
from nasd.pictures.style import COLOURS, FAINT, GREY, headline, new_figure, percent_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 15
_LINE, _LINES = 62, 3  # characters of an architecture beside the dots, and how often they may go on below


def draw_leaderboard(searches: Sequence[Search], top: int = TOP) -> "Figure":
    """The `top` best of one search with what they reached, or reward over rank for several.

    Raises:
        NasdError: One has no trial that counts.
    """
    for search in searches:
        require_trials(search)
    return _best(searches[0], top) if len(searches) == 1 else _rankings(searches)


def _best(search: Search, top: int) -> "Figure":
    entries = search.entries[:top]
    written = [_wrapped(entry.net) for entry in entries]
    figure, axes = new_figure(11, 1.5 + (0.2 + 0.14 * max(map(len, written))) * len(entries))
    places = np.arange(len(entries))
    for place, entry in enumerate(entries):
        reached = [v for v in (entry.reward, entry.best_validation, entry.test_accuracy) if v is not None]
        axes.hlines(place, min(reached), max(reached), color=FAINT, linewidth=3, zorder=1)
    series: tuple[tuple[str, list[float | None], str, str], ...] = (
        ("reward (validation)", [entry.reward for entry in entries], "o", COLOURS[0]),
        ("best epoch (validation)", [entry.best_validation for entry in entries], "|", COLOURS[2]),
        ("test", [entry.test_accuracy for entry in entries], "D", COLOURS[1]),
    )
    for name, values, marker, colour in series:
        known = [(value, place) for place, value in enumerate(values) if value is not None]
        if known:
            x, y = zip(*known, strict=True)
            size, line = (90, 2) if marker == "|" else (34, 0)
            axes.scatter(x, y, s=size, marker=marker, color=colour, label=name, zorder=3, linewidths=line)
    axes.set_yticks(places, [str(entry.number) for entry in entries], fontsize=8.5)
    longest = max(len(line) for lines in written for line in lines)
    for place, lines in enumerate(written):
        axes.annotate(
            "\n".join(line.ljust(longest) for line in lines), (0, place), (-36, 0), va="center", ha="right",
            xycoords=("axes fraction", "data"), textcoords="offset points", annotation_clip=False,
            fontsize=7.5, fontfamily="monospace",
        )  # fmt: skip
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    percent_axis(axes.xaxis)
    axes.set_xlabel("accuracy")
    headline(figure, f"{search.name}: the best {len(entries)} architectures, with their trials")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2, handletextpad=0.3,
                columnspacing=1.2, fontsize=9)  # fmt: skip
    return figure


def _rankings(searches: Sequence[Search]) -> "Figure":
    figure, axes = new_figure(8, 4.8)
    ends = []
    for number, search in enumerate(searches):
        ranked = np.array([entry.reward for entry in search.entries])
        colour = COLOURS[number % len(COLOURS)]
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        axes.plot(np.arange(1, len(ranked) + 1), ranked, color=colour, linewidth=2, linestyle=style)
        ends.append((len(ranked) * 1.03, float(ranked[-1]), search.name, colour))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("rank among the search's architectures")
    axes.set_ylabel("reward")
    axes.grid(color=FAINT, linewidth=0.6)
    percent_axis(axes.yaxis)
    label_ends(axes, ends)
    axes.set_title(f"Ranking of {len(searches)} searches", pad=24)
    axes.text(0, 1.02, "higher is better at every rank", transform=axes.transAxes, fontsize=8.5, color=GREY)
    return figure


def _wrapped(net: str) -> list[str]:
    return textwrap.wrap(net, _LINE, max_lines=_LINES, placeholder=" …")
