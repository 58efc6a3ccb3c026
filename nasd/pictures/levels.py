"""Scores of cells by level: what was measured, and what a surrogate predicted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from nasd.errors import NasdError
from nasd.pictures.style import COLOURS, FAINT, GREY, headline, new_figure, percent_axis
from nasd.runs.ranked import Kind, RankedRow
from store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 20_000  # dots of a level and kind: more are drawn by an even choice of them
NAMED = 3  # of the best, whose cells are written out
_SIDES: tuple[tuple[Kind, float, str], ...] = (("measured", -0.2, COLOURS[0]), ("predicted", 0.2, COLOURS[1]))
_LONGEST = 96  # characters of such a line


def of_run(run: Run) -> list[RankedRow]:
    """A run's cells that counted, and what was predicted of them before. Raises StoreError."""
    found = []
    for trial in run.trials():
        blocks = trial.net.count("(")
        if trial.counted:
            found.append(RankedRow(trial.reward, "measured", trial.net, blocks))
        if (predicted := trial.facts.get("prediction")) is not None:
            found.append(RankedRow(predicted, "predicted", trial.net, blocks, trial.facts.get("spread")))
    return found


def draw_levels(rows: Iterable[RankedRow], name: str, *, hover: bool = False) -> "Figure":
    """A column a level: every score as a dot, in the order of the file from left to right; predictions are hollow.

    Args:
        rows: Of one or several files.
        name: Of what they are of.
        hover: Make the best measured and predicted cells of each level say what they are when a pointer rests on them,
            in SVG.

    Raises:
        NasdError: There is none.
    """
    groups: dict[tuple[int, Kind], list[RankedRow]] = {}
    for row in rows:
        groups.setdefault((row.blocks, row.kind), []).append(row)
    if not groups:
        raise NasdError(f"{name} has no cell with a score yet: wait for the first")
    levels = sorted({blocks for blocks, _ in groups})
    figure, axes = new_figure(max(6.5, 1.5 + 1.5 * len(levels)), 4.8)
    for place, blocks in enumerate(levels):
        for kind, at, colour in _SIDES:
            of_kind = groups.get((blocks, kind), [])
            if not of_kind:
                continue
            chosen = [of_kind[index] for index in np.linspace(0, len(of_kind) - 1, min(len(of_kind), MOST)).astype(int)]
            scores = np.array([row.score for row in chosen])
            x = place + at + np.linspace(-0.17, 0.17, len(chosen))
            faces = colour if kind == "measured" else "none"
            axes.scatter(x, scores, s=12, facecolors=faces, edgecolors=colour, linewidths=0.6, alpha=0.6, zorder=2)
            axes.hlines(np.median(scores), place + at - 0.18, place + at + 0.18, color=colour, linewidth=2, zorder=3)
            if hover:
                for index in np.argsort(-scores, kind="stable")[:60].tolist():
                    dot = axes.scatter(x[index], scores[index], s=30, alpha=0, zorder=4)
                    dot.set_gid(f"says {kind} {100 * scores[index]:.2f} %: {chosen[index].cell}")
    axes.set_xticks(range(len(levels)), [_level(groups, blocks) for blocks in levels])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_ylabel("score")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    percent_axis(axes.yaxis)
    headline(figure, f"{name}: scores by level")
    best = sorted((row for of in groups.values() for row in of if row.kind == "measured"), key=lambda row: -row.score)
    best = (best or sorted((row for of in groups.values() for row in of), key=lambda row: -row.score))[:NAMED]
    axes.set_xlabel("\n".join(map(_line, best)), color=GREY, fontsize=7, loc="left", labelpad=8)
    axes.text(0, 1.02, "filled: measured   hollow: predicted   bar: median   each from left to right in its order",
              transform=axes.transAxes, fontsize=8.5, color=GREY)  # fmt: skip
    return figure


def with_titles(svg: str) -> str:
    """Turn what dots say (see `draw_levels`) into titles, which a browser shows under the pointer."""
    parts = svg.split('<g id="says ')
    return parts[0] + "".join(f"<g><title>{_ended(part)}" for part in parts[1:])


def _ended(part: str) -> str:
    text, _, rest = part.partition('">')
    return f"{text}</title>{rest}"


def _level(groups: dict[tuple[int, Kind], list[RankedRow]], blocks: int) -> str:
    counts = [f"{len(groups[blocks, kind]):,} {kind}" for kind, _, _ in _SIDES if (blocks, kind) in groups]
    return "\n".join([f"b={blocks}", *counts])


def _line(row: RankedRow) -> str:
    text = f"{100 * row.score:.2f} %  {row.cell}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
