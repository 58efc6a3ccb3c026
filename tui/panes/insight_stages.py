"""The stages of the search on one axis."""

from collections.abc import Sequence

from textual.content import Content

from nasd.protocol import Insight, StageRewards
from tui import text
from tui.panes.insight_part import InsightPart
from tui.panes.overview_stages import box


class StagesPart(InsightPart):
    """A line a stage: trials, a box from quartile to quartile with whiskers to the extremes, median, best."""

    NAME = "stages"
    EMPTY = "No stage has rewards yet."

    def __init__(self) -> None:
        super().__init__("insight-stages")
        self._first = 0

    def move(self, across: int, down: int) -> None:
        """Scroll."""
        self._first = max(0, self._first + down)
        self.renew()

    def known(self, insight: Insight, width: int, height: int) -> Sequence[Content]:
        """All on the same axis, whose ends stand below."""
        stages = [(stage, stage.quartiles) for stage in insight.stages if stage.quartiles is not None]
        if not stages:
            return []
        self._first = min(self._first, max(0, len(stages) - (height - 2)))
        low = max(0.0, min(quartiles[1] for _, quartiles in stages) - 0.15)
        high = min(1.0, max(quartiles[4] for _, quartiles in stages) + 0.01)
        margin = min(12, 1 + max(len(text.clean(stage.label)) for stage, _ in stages))
        count = 1 + max(len("trials"), *(len(text.count(stage.done)) for stage, _ in stages))
        room = max(4, width - margin - count - 17)
        found = [Content.styled(f"{'':<{margin}}{'trials':>{count}}{'':<{room + 2}}{'median':>7}{'best':>8}", "$dim")]
        found += [
            _line(stage, quartiles, (low, high), (margin, count, room))
            for stage, quartiles in stages[self._first : self._first + max(1, height - 2)]
        ]
        ends = f"{100 * low:.0f}".ljust(room - 4) + f"{100 * high:.0f}".rjust(4)
        return [*found, Content.styled(" " * (margin + count + 1) + ends, "$dim")]


def _line(
    stage: StageRewards, quartiles: tuple[float, ...], ends: tuple[float, float], rooms: tuple[int, int, int]
) -> Content:
    margin, count, room = rooms
    return Content.assemble(
        text.shorten(text.clean(stage.label), margin - 1).ljust(margin),
        (f"{text.count(stage.done):>{count}} ", "$dim"),
        *box(quartiles, *ends, room),
        (f" {100 * quartiles[2]:>7.2f}", "bold"),
        (f" {100 * quartiles[4]:>7.2f}", "$success"),
    )
