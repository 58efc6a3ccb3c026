"""What a search has learned, as figures: the best so far, the Pareto front, what each decision is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nasd import rooms
from nasd.errors import NasdError
from nasd.pictures.rewards import shade_stages
from nasd.pictures.source import WINDOW, Search, require_trials
from nasd.pictures.style import COLOURS, FAINT, GREY, headline, new_figure, percent_axis
from nasd.runs.changes import config_of
from nasd.runs.collected import Collected
from nasd.runs.insight import Importances, front, rolling
from store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Axis = Literal["parameters", "embedding", "seconds"]
AXES: dict[Axis, str] = {
    "parameters": "parameters", "embedding": "values of the embedding", "seconds": "seconds of the evaluation",
}  # fmt: skip
MOST_DECISIONS = 12
MOST_NAMED = 12  # trials of a front


@dataclass(frozen=True)
class Learned:
    """Of a run.

    Attributes:
        name: The run's.
        numbers, rewards: (N,) of the architectures that were evaluated.
        costs: (N,) for each axis; nan where it is not known.
        importances: Of the decisions.
    """

    name: str
    numbers: NDArray[np.int64]
    rewards: NDArray[np.float64]
    costs: dict[Axis, NDArray[np.float64]]
    importances: Importances


def of_run(run: Run) -> Learned:
    """As it is now. Raises StoreError, ConfigError."""
    collected = Collected(rooms.space(config_of(run)))
    collected.read(run)
    return Learned(
        run.path.name,
        np.array(collected.numbers),
        np.array(collected.rewards),
        {axis: collected.costs(axis) for axis in AXES},
        collected.importances(),
    )


def draw_best(search: Search) -> "Figure":
    """The best reward by each trial, and the mean of the last ones.

    Raises:
        NasdError: There is no trial that counts.
    """
    require_trials(search)
    figure, axes = new_figure(9, 4.6)
    rewards = search.rewards
    trials = np.arange(1, len(rewards) + 1)
    best = np.maximum.accumulate(rewards)
    shade_stages(axes, search.phases, len(rewards))
    axes.scatter(trials, rewards, s=8, color=COLOURS[4], alpha=0.4, linewidths=0, label="one architecture")
    axes.plot(trials, rolling(rewards, WINDOW), color=COLOURS[0], linewidth=1.6, label=f"mean of the last {WINDOW}")
    axes.step(trials, best, where="post", color=COLOURS[1], linewidth=2, label="best so far")
    low = float(np.quantile(rewards, 0.02))
    axes.set_ylim(max(low - 0.05, 0), min(float(best[-1]) + 0.03, 1.005))
    axes.set_xlim(0, len(rewards) + 1)
    axes.set_xlabel("architectures")
    axes.set_ylabel("reward (mean validation accuracy)")
    percent_axis(axes.yaxis)
    axes.set_title(f"{search.name}: best so far, {100 * best[-1]:.2f} %", pad=24)
    axes.legend(loc="lower right", ncols=3, frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def draw_pareto(learned: Learned, axis: Axis = "parameters") -> "Figure":
    """Reward against a cost, and the trials that no other beats in both, by number.

    Raises:
        NasdError: No trial has a known cost.
    """
    from matplotlib.ticker import LogLocator  # noqa: PLC0415 - an extra

    costs = learned.costs[axis]
    known = np.flatnonzero(np.isfinite(costs) & (costs > 0))
    if not len(known):
        raise NasdError(f"{learned.name} has no evaluated trial with known {AXES[axis]}: wait for the first")
    costs, rewards, numbers = costs[known], learned.rewards[known], learned.numbers[known]
    chosen = front(costs, rewards)
    figure, axes = new_figure(9, 5)
    axes.set_xscale("log")
    axes.scatter(costs, rewards, s=10, color=COLOURS[4], alpha=0.45, linewidths=0)
    axes.step(costs[chosen], rewards[chosen], where="post", color=COLOURS[1], linewidth=1.2)
    axes.scatter(costs[chosen], rewards[chosen], s=26, color=COLOURS[1], zorder=3)
    for row in _apart(np.log(costs), rewards, chosen[::-1])[:MOST_NAMED]:
        axes.annotate(
            str(numbers[row]), (costs[row], rewards[row]), (-3, 4), textcoords="offset points", ha="right", fontsize=8.5
        )
    low = min(float(np.quantile(rewards, 0.05)), float(rewards[chosen].min()))
    axes.set_ylim(max(0.0, low - 0.03), min(1.005, float(rewards.max()) + 0.03))
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.15g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel("reward")
    percent_axis(axes.yaxis)
    headline(figure, f"{learned.name}: reward against {AXES[axis]}")
    axes.text(0, 1.02, "orange: the front, with the numbers of its trials", transform=axes.transAxes, fontsize=8.5,
              color=GREY)  # fmt: skip
    return figure


def _apart(x: NDArray[np.float64], y: NDArray[np.float64], rows: NDArray[np.int64]) -> list[int]:
    """Those of the rows, first ones first, whose names do not cover each other's."""
    wide, high = float(np.ptp(x)) or 1.0, float(np.ptp(y[rows])) or 1.0
    found: list[int] = []
    for row in rows:
        if all(abs(x[row] - x[one]) > 0.05 * wide or abs(y[row] - y[one]) > 0.05 * high for one in found):
            found.append(row)
    return found


def draw_importance(learned: Learned) -> "Figure":
    """The most important decisions, and beside each the effects of its values on the mean reward.

    Raises:
        NasdError: There are too few trials to tell.
    """
    found = learned.importances
    worths = found.worths[:MOST_DECISIONS]
    if not worths:
        raise NasdError(
            f"{learned.name} has {found.rows} evaluated architectures, too few or too much alike to tell what a "
            "decision is worth: wait for more"
        )
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(11, 1.6 + 0.42 * len(worths)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    places = np.arange(len(worths))
    left.barh(
        places, [max(worth.importance, 0.0) for worth in worths], 0.6, color=COLOURS[0],
        xerr=[worth.spread for worth in worths], error_kw={"ecolor": GREY, "elinewidth": 1},
    )  # fmt: skip
    left.set_yticks(places, [worth.name for worth in worths])
    left.set_ylim(len(worths) - 0.4, -0.6)
    left.set_xlabel("permutation importance (fall of R²)")
    left.set_xlim(left=0)
    for place, worth in enumerate(worths):
        _effects(right, place, [(level.label, 100 * level.effect, 100 * level.error) for level in worth.levels])
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set_xlabel("effect on the mean reward, percentage points")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
    headline(
        figure,
        f"{learned.name}: what each decision is worth (R² {found.r2:.2f} on held-out of {found.rows} architectures)",
    )
    return figure


def _effects(axes: "Axes", place: int, levels: Sequence[tuple[str, float, float]]) -> None:
    """A dot for each value, with the name of the best and of the worst."""
    axes.errorbar(
        [effect for _, effect, _ in levels], [place] * len(levels), xerr=[error for _, _, error in levels], fmt="o",
        color=COLOURS[2], markersize=4, elinewidth=1,
    )  # fmt: skip
    for (label, effect, error), align, side in (
        (max(levels, key=lambda one: one[1]), "left", 1),
        (min(levels, key=lambda one: one[1]), "right", -1),
    ):
        axes.annotate(
            label, (effect + side * error, place), (7 * side, 0), textcoords="offset points", va="center", ha=align,
            fontsize=8,
        )  # fmt: skip
