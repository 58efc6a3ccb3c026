"""The Pareto front: the trials that no other beats in reward and in what it costs."""

import math
from collections.abc import Sequence

from textual.content import Content

from nasd.protocol import Front, FrontAxis, FrontTrial, Insight
from tui import chart, text
from tui.panes.insight_part import InsightPart, listed, net, pointer, short

AXES: dict[FrontAxis, str] = {"parameters": "parameters", "embedding": "embedding size", "seconds": "seconds"}


class FrontPart(InsightPart):
    """A chart with the costs on a logarithmic axis, and below it the trials of the front, the best first."""

    NAME = "Pareto front"
    EMPTY = "Starts with the first architecture that is evaluated."

    def __init__(self) -> None:
        super().__init__("insight-front")
        self._axis: FrontAxis = "parameters"
        self._cursor = 0

    @property
    def trial(self) -> int | None:
        """The one under the cursor."""
        shown = self._shown()
        return shown[min(self._cursor, len(shown) - 1)].trial if shown else None

    def turn(self) -> None:
        """The next axis."""
        order = list(AXES)
        self._axis, self._cursor = order[(order.index(self._axis) + 1) % len(order)], 0
        self.renew()

    def move(self, across: int, down: int) -> None:
        """Down the list; to the right is dearer and better, which is up."""
        self._cursor = max(0, min(self._cursor + (down or -across), len(self._shown()) - 1))
        self.renew()

    def _front(self) -> Front | None:
        fronts = self.insight.fronts if self.insight else ()
        return next((one for one in fronts if one.axis == self._axis), None)

    def _shown(self) -> Sequence[FrontTrial]:
        front = self._front()
        return front.trials[::-1] if front else ()

    def renew(self) -> None:
        """The title names the axis."""
        self.border_title = Content(f"{self.NAME}: reward against {AXES[self._axis]}")
        super().renew()

    def known(self, insight: Insight, width: int, height: int) -> Sequence[Content]:
        """The chart, where there is room for it, and the list."""
        front, trials = self._front(), self._shown()
        if front is None or not trials:
            return [] if not insight.rows else [Content.styled(f"No trial has a known {AXES[self._axis]}.", "$dim")]
        self._cursor = min(self._cursor, len(trials) - 1)
        rows = min(len(trials), max(3, (height - 1) // 2)) if height >= 10 else max(1, height - 1)
        found = self._chart(front, trials[self._cursor], width, height - rows - 1) if height >= 10 else []
        found.append(Content.styled(f"  {'trial':>7}  {'reward':>7}  {AXES[self._axis]:>14}  architecture", "$dim"))
        found[-1] = found[-1].truncate(width, ellipsis=True)
        return found + listed(trials, self._cursor, rows, lambda one, here: _line(one, width, here=here))

    def _chart(self, front: Front, chosen: FrontTrial, width: int, height: int) -> list[Content]:
        cloud = [(_log(cost), reward) for cost, reward in front.cloud]
        line = [(_log(one.cost), one.reward) for one in front.trials]
        rewards = sorted(reward for _, reward in (*cloud, *line))
        costs = [cost for cost, _ in (*cloud, *line)]
        low, high = chart.spread([rewards[len(rewards) // 12], rewards[-1], *(reward for _, reward in line)])
        axes = chart.Axes(
            (min(costs), max(*costs, min(costs) + 0.1)), (max(0.0, low), min(1.0, high)),
            x_text=lambda value: short(10**value), y_text=lambda value: f"{100 * value:.4g}", x_log=True,
        )  # fmt: skip
        series = [
            chart.Series(cloud, "$secondary", line=False),
            chart.Series(line, "bold $warning"),
        ]
        return chart.draw(
            width, height, axes, series, [chart.Mark(_log(chosen.cost), text.count(chosen.trial), style="$primary")]
        )


def _log(cost: float) -> float:
    return math.log10(max(cost, 1e-3))


def _line(one: FrontTrial, width: int, *, here: bool) -> Content:
    style = "bold" if here else ""
    return Content.assemble(
        pointer(here=here), (f"{text.count(one.trial):>7}  {text.percent(one.reward):>7}  ", style),
        (f"{short(one.cost):>14}  ", style), (net(one.net, width - 36), "" if here else "$dim"),
    ).truncate(width, ellipsis=True)  # fmt: skip
