"""What each stage of a search brought: the distribution of its rewards."""

from typing import TYPE_CHECKING

import numpy as np

from nasd.pictures.source import Search, require_trials
from nasd.pictures.style import COLOURS, FAINT, GREY, INK, headline, new_figure, percent_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_phases(search: Search) -> "Figure":
    """A column a phase: every reward as a dot, quartiles as a box, the mean as a diamond.

    Raises:
        NasdError: There is no trial that counts.
    """
    require_trials(search)
    phases = search.phases
    figure, axes = new_figure(max(6.5, 1.5 + 0.75 * len(phases)), 4.6)
    draw = np.random.default_rng(0)  # only scatters dots sideways
    means = []
    for place, phase in enumerate(phases):
        rewards = search.rewards[phase.start : phase.stop]
        sideways = draw.uniform(-0.32, 0.32, len(rewards))
        axes.scatter(place + sideways, rewards, s=6, color=COLOURS[4], alpha=0.4, linewidths=0, zorder=1)
        low, middle, high = np.quantile(rewards, [0.25, 0.5, 0.75])
        axes.bar(place, high - low, 0.64, low, color="none", edgecolor=COLOURS[0], linewidth=1.3, zorder=2)
        axes.hlines(middle, place - 0.32, place + 0.32, color=COLOURS[0], linewidth=2.4, zorder=3)
        means.append(float(rewards.mean()))
    axes.plot(range(len(phases)), means, color=COLOURS[1], marker="D", markersize=5, linewidth=1, zorder=4)
    axes.annotate("mean", (len(phases) - 1, means[-1]), (len(phases) - 0.62, means[-1]), color=COLOURS[1], va="center",
                  annotation_clip=False, fontweight="bold")  # fmt: skip
    names = [f"{phase.label}\n{phase.stop - phase.start}" for phase in phases]
    axes.set_xticks(range(len(phases)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(phases) - 0.4)
    axes.set_xlabel("stage, and architectures", color=INK)
    axes.set_ylabel("reward")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    percent_axis(axes.yaxis)
    headline(figure, f"{search.name}: rewards by stage")
    axes.text(0, 1.02, "dots: architectures   box: middle half   bar: median", transform=axes.transAxes,
              fontsize=8.5, color=GREY)  # fmt: skip
    return figure
