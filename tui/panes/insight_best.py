"""The best reward so far beside the rolling mean, with a cursor that names the trial under it."""

from bisect import bisect_left
from collections.abc import Sequence

from textual.content import Content

from nasd.protocol import CurvePoint, Insight
from tui import chart, text
from tui.panes.insight_part import InsightPart, net


class BestPart(InsightPart):
    """The cursor stays on its trial; at the end it follows the newest."""

    NAME = "best so far"
    EMPTY = "Starts with the first trial that counts."

    def __init__(self) -> None:
        super().__init__("insight-best")
        self._at: int | None = None  # the trial under the cursor; None: the newest
        self._columns = 40

    @property
    def trial(self) -> int | None:
        """The one under the cursor."""
        return None if (point := self._point()) is None else point.trial

    def move(self, across: int, down: int) -> None:
        """Across by what a cell of the chart holds; down and up to the next and the last trial that was the best."""
        insight, here = self.insight, self._point()
        if insight is None or here is None:
            return
        if down:
            places = [record.trial for record in insight.records]
            place = bisect_left(places, here.trial) if down < 0 else bisect_left(places, here.trial + 1)
            self._go(places, place - (down < 0))
        else:
            places = [point.trial for point in insight.curve]
            step = max(1, len(places) // self._columns)
            self._go(places, bisect_left(places, here.trial) + across * step)
        self.renew()

    def _go(self, places: Sequence[int], index: int) -> None:
        if places:
            self._at = places[max(0, min(index, len(places) - 1))]
        if self.insight and self._at == self.insight.curve[-1].trial:
            self._at = None

    def _point(self) -> CurvePoint | None:
        curve = self.insight.curve if self.insight else ()
        if not curve or self._at is None:
            return curve[-1] if curve else None
        index = bisect_left([point.trial for point in curve], self._at)
        return curve[min(index, len(curve) - 1)]

    def known(self, insight: Insight, width: int, height: int) -> Sequence[Content]:
        """The trial under the cursor, then the chart."""
        point, curve = self._point(), insight.curve
        if point is None:
            return []
        self._columns = max(10, width - 8)
        record = max((one for one in insight.records if one.trial <= point.trial), key=lambda one: one.trial)
        head = Content.assemble(
            ("trial ", "$dim"), (text.count(point.trial), "bold"), ("  reward ", "$dim"), text.percent(point.reward),
            ("  mean ", "$dim"), (text.percent(point.mean), "$warning"),
            ("  best ", "$dim"), (text.percent(point.best), "bold $success"),
            (f" of trial {text.count(record.trial)}" if record.trial != point.trial else ", a new best", "$dim"),
        )  # fmt: skip
        found = [head.truncate(width, ellipsis=True), Content.styled(net(record.net, width), "$dim")]
        rewards = sorted(one.reward for one in curve)
        low, high = chart.spread([rewards[len(rewards) // 12], rewards[-1], *(one.mean for one in curve)])
        axes = chart.Axes(
            (1, max(2, curve[-1].trial)), (max(0.0, low), min(1.0, high)), y_text=lambda value: f"{100 * value:.4g}"
        )
        series = [
            chart.Series([(one.trial, one.reward) for one in curve], "$secondary", line=False),
            chart.Series(chart.thin([(one.trial, one.mean) for one in curve], width), "$warning"),
            chart.Series(_steps(curve), "bold $success"),
        ]
        marks = [chart.Mark(point.trial, text.count(point.trial), style="$primary")]
        return [*found, *chart.draw(width, height - len(found), axes, series, marks)]


def _steps(curve: Sequence[CurvePoint]) -> list[tuple[float, float]]:
    """The best as stairs."""
    found: list[tuple[float, float]] = []
    for point in curve:
        if found and found[-1][1] != point.best:
            found.append((point.trial, found[-1][1]))
        found.append((point.trial, point.best))
    return found
