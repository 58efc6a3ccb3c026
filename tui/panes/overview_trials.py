"""The best trials so far and the newest ones."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.content import Content

from nasd import protocol
from tui import text, theme
from tui.link import Link
from tui.messages import ShowTrial
from tui.widgets.panel import Panel


class _Rows(Panel):
    """Lines of trials; a click opens one."""

    empty: ClassVar[str]

    def __init__(self, title: str, link: Link, id: str) -> None:
        super().__init__(title, id=id)
        self._link = link

    def rows(self, status: protocol.Status) -> Sequence[protocol.TrialRow]:
        """Which trials."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """One trial a line."""
        status = self._link.status
        rows = self.rows(status) if status else ()
        if not rows:
            return [Content.styled(self.empty if status else "waiting for the daemon", "$dim")]
        return [_line(row, width) for row in rows]

    def on_click(self, event: events.Click) -> None:
        """Open the trial under the mouse."""
        status, line = self._link.status, event.y - 1
        rows = self.rows(status) if status else ()
        if 0 <= line < len(rows):
            self.post_message(ShowTrial(rows[line].number))


class Best(_Rows):
    """The best architectures, each once."""

    empty = "The first trial that counts will stand here."

    def __init__(self, link: Link) -> None:
        super().__init__("best", link, id="best")

    def rows(self, status: protocol.Status) -> Sequence[protocol.TrialRow]:
        """Best first."""
        return status.best


class Recent(_Rows):
    """The newest trials."""

    empty = "No trial has finished yet."

    def __init__(self, link: Link) -> None:
        super().__init__("newest", link, id="recent")

    def rows(self, status: protocol.Status) -> Sequence[protocol.TrialRow]:
        """Newest first."""
        return status.recent


def _line(row: protocol.TrialRow, width: int) -> Content:
    glyph, _, colour = theme.MARKS[row.status]
    parts = [(f"{row.number:>6} ", "$dim"), (f"{glyph} ", colour), (f"{text.percent(row.reward):>6} ", "bold")]
    if width >= 70:
        parts.append((f"test {text.percent(row.test_accuracy):>6}  ", "$dim"))
    used = sum(len(part) for part, _ in parts)
    return Content.assemble(*parts, text.shorten(text.clean(row.net), width - used))
