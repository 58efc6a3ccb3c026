"""What each decision about an architecture is worth."""

from collections.abc import Sequence

from textual.content import Content

from nasd.protocol import Decision, Insight, Level
from tui import text
from tui.panes.insight_part import InsightPart, listed, pointer

NAME_WIDTH = 22


class WorthPart(InsightPart):
    """The decisions by importance; below them the values of the one under the cursor, with their effects."""

    NAME = "what each decision is worth"
    EMPTY = "Starts when some twenty different architectures are evaluated."

    def __init__(self) -> None:
        super().__init__("insight-worth")
        self._chosen: str | None = None  # the decision under the cursor, which may change its place

    def move(self, across: int, down: int) -> None:
        """Down the list."""
        decisions = self.insight.decisions if self.insight else ()
        if decisions and down:
            self._chosen = decisions[max(0, min(self._cursor(decisions) + down, len(decisions) - 1))].name
            self.renew()

    def _cursor(self, decisions: Sequence[Decision]) -> int:
        return next((place for place, one in enumerate(decisions) if one.name == self._chosen), 0)

    def known(self, insight: Insight, width: int, height: int) -> Sequence[Content]:
        """How far to trust it, the decisions, the values."""
        decisions = insight.decisions
        if not decisions:
            return []
        cursor = self._cursor(decisions)
        levels = decisions[cursor].levels
        room = max(2, height - 4 - min(len(levels), max(2, (height - 4) // 2)))
        rows = min(len(decisions), room)
        trust = f"R² {insight.r2:.2f} on held-out of {text.count(insight.rows)} architectures"
        if insight.r2 < 0.1:
            trust += ": too little to rely on"
        most = max(one.importance + one.spread for one in decisions)
        effects = f"{decisions[cursor].name}: effect on the mean reward, in points"
        return [
            Content.styled(text.shorten(trust, width), "$dim"),
            *listed(decisions, cursor, rows, lambda one, here: _decision(one, most, width, here=here)),
            Content(),
            Content.styled(text.shorten(effects, width), "bold"),
            *_levels(levels, width, height - rows - 3),
        ]


def _decision(one: Decision, most: float, width: int, *, here: bool) -> Content:
    value = f"{max(one.importance, 0):.3f} ±{one.spread:.3f}"
    room = max(0, width - 2 - NAME_WIDTH - 1 - len(value) - 1)
    filled, rest = text.bar(one.importance / most if most > 0 else 0.0, room)
    name = text.shorten(text.clean(one.name), NAME_WIDTH).ljust(NAME_WIDTH + 1)
    return Content.assemble(
        pointer(here=here), (name, "bold" if here else ""), (filled, "$primary on $panel"), (rest, "on $panel"),
        (f" {value}", "bold" if here else "$dim"),
    ).truncate(width)  # fmt: skip


def _levels(levels: Sequence[Level], width: int, height: int) -> list[Content]:
    """A bar to the left for what is worse than the mean of all, to the right for what is better."""
    most = max(abs(one.effect) for one in levels) or 1.0
    label = min(16, max(len(one.label) for one in levels))
    count = max(len(text.count(one.count)) for one in levels)
    half = max(1, (width - label - count - 21) // 2)
    found = []
    for one in levels[:height]:
        cells = round(abs(one.effect) / most * half)
        left = ("█" * cells if one.effect < 0 else "").rjust(half)
        right = ("█" * cells if one.effect >= 0 else "").ljust(half)
        effect = f"{100 * one.effect:+.2f} ±{100 * one.error:.2f}"
        found.append(
            Content.assemble(
                f"  {text.shorten(text.clean(one.label), label):<{label}} ", (left, "$error"), ("│", "$border"),
                (right, "$success"), f" {effect:>13}", (f" {text.count(one.count):>{count}}", "$dim"),
            ).truncate(width)
        )  # fmt: skip
    if len(levels) > height > 0:
        found[-1] = Content.styled(f"  +{len(levels) - height + 1} more values", "$dim")
    return found
