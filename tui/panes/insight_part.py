"""What the parts of the screen Insight have in common."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from textual.content import Content

from nasd.protocol import Insight
from tui import text
from tui.widgets.panel import Panel

Row = TypeVar("Row")


class InsightPart(Panel):
    """A panel with a cursor of its own; the keys act on the one that is active."""

    DEFAULT_CSS = """
    InsightPart.-active { border: round $primary; border-title-color: $primary; }
    """

    NAME = ""
    EMPTY = "Starts with the first trials."

    def __init__(self, id: str) -> None:
        super().__init__(self.NAME, id=id)
        self.insight: Insight | None = None

    @property
    def trial(self) -> int | None:
        """The trial under the cursor."""
        return None

    def take(self, insight: Insight) -> None:
        """What the daemon sent."""
        self.insight = insight
        self.renew()

    def move(self, across: int, down: int) -> None:
        """The cursor goes to the right or to the left, down or up."""

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """What is known, or why nothing is."""
        if self.insight is None:
            return [Content.styled("loading …", "$dim")]
        return self.known(self.insight, width, height) or [Content.styled(self.EMPTY, "$dim")]

    def known(self, insight: Insight, width: int, height: int) -> Sequence[Content]:
        """What stands in the panel; nothing if there is nothing to say yet."""
        raise NotImplementedError


def listed(rows: Sequence[Row], cursor: int, height: int, line: Callable[[Row, bool], Content]) -> list[Content]:
    """At most `height` rows, the one under the cursor among them."""
    first = max(0, min(cursor - height // 2, len(rows) - height))
    return [line(row, first + at == cursor) for at, row in enumerate(rows[first : first + height])]


def pointer(*, here: bool) -> tuple[str, str]:
    """The mark before a row of a list."""
    return ("▸ ", "bold $primary") if here else ("  ", "")


def short(value: float) -> str:
    """A number in at most six characters: 940, 12.3k, 4.56M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * limit:  # what would be written as 1000 of the unit below
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def net(written: str, width: int) -> str:
    """An architecture for the end of a line."""
    return text.shorten(text.clean(written), max(1, width))
