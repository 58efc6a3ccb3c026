"""Log records on lines of their own; only what is visible is drawn."""

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nasd import protocol
from tui import text, theme

MOST = 5000
"""Records kept while following; older ones come back from the daemon when one scrolls up."""


class LogView(ScrollView, can_focus=True, inherit_bindings=False):
    """Follows the newest record until one scrolls up. Long messages go on on the next lines."""

    DEFAULT_CSS = """
    LogView { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; background: $background; }
    LogView > .log--time { color: $dim; }
    LogView > .log--source { color: $violet; }
    LogView > .log--debug { color: $dim; }
    LogView > .log--info { color: $primary; }
    LogView > .log--warning { color: $warning; }
    LogView > .log--error { color: $error; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"log--{name}" for name in ("time", "source", "debug", "info", "warning", "error")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, id="log.up", tooltip="One line up"),
        Binding("down,j", "scroll_down", "down", show=False, id="log.down", tooltip="One line down"),
        Binding("pageup", "page_up", "page up", show=False, id="log.pageup", tooltip="One screen up"),
        Binding("pagedown", "page_down", "page down", show=False, id="log.pagedown", tooltip="One screen down"),
        Binding("home", "scroll_home", "oldest", show=False, id="log.home", tooltip="The oldest record here"),
        Binding("end", "scroll_end", "newest", show=False, id="log.end", tooltip="The newest record"),
    ]

    class AtTop(Message):
        """The oldest record that is here is in view."""

    class Scrolled(Message):
        """Following may have begun or ended."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[protocol.LogRecord] = []
        self.following = True
        self.more = False
        self._failure = ""
        self._lines: list[tuple[protocol.LogRecord, str, bool]] = []  # record, part of its message, is the first part
        self._width = 0

    def replace(self, records: Sequence[protocol.LogRecord], more: bool) -> None:
        """Other records; `more` says whether there are older ones."""
        self.records, self.more, self._failure = list(records), more, ""
        self._fold()
        if self.following:
            self._to_end()

    def prepend(self, records: Sequence[protocol.LogRecord], more: bool) -> None:
        """Older records; what is in view stays in view."""
        before = len(self._lines)
        self.records, self.more = [*records, *self.records], more
        self._fold()
        self.scroll_to(y=self.scroll_y + len(self._lines) - before, animate=False)

    def add(self, record: protocol.LogRecord) -> None:
        """A new record."""
        if self.records and record.id <= self.records[-1].id:
            return
        self.records.append(record)
        if self.following and len(self.records) > MOST + MOST // 10:
            self.records = self.records[-MOST:]
            self.more = True
            self._fold()
        else:
            self._lines += self._folded(record)
            self._measure()
        if self.following:
            self._to_end()

    def fail(self, sentence: str) -> None:
        """The daemon did not answer."""
        self._failure = text.clean(sentence)
        self.refresh()

    def follow(self) -> None:
        """To the newest record, and stay there."""
        self.following = True
        self._to_end()
        self.post_message(self.Scrolled())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up ends following, reaching the end begins it, the top asks for more."""
        super().watch_scroll_y(old_value, new_value)
        following = new_value >= self.max_scroll_y - 0.5
        if following != self.following:
            self.following = following
            self.post_message(self.Scrolled())
        if new_value <= 0 and new_value < old_value:
            self.post_message(self.AtTop())

    def on_resize(self) -> None:
        """Fold for another width."""
        following = self.following
        if self.size.width != self._width:
            self._fold()
        if following:
            self._to_end()

    def render_line(self, y: int) -> Strip:
        """One line of one record."""
        width = self.size.width
        index = y + round(self.scroll_y)
        if not self._lines or self._failure:
            said = self._failure or "No record matches. Esc clears the search, l changes the level."
            return Strip([Segment((f" {said}" if y == 1 else "")[:width].ljust(width), self._style("time"))])
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        record, part, first = self._lines[index]
        glyph, _ = theme.LEVELS[record.level]
        segments = [Segment(" " * 24, self.rich_style)]
        if first:
            when = text.clock(record.time, record.time)
            source = text.shorten(text.clean(record.source), 10)
            segments = [
                Segment(f" {when} ", self._style("time")),
                Segment(f"{glyph} ", self._style(record.level)),
                Segment(f"{source:<11} ", self._style("source")),
            ]
        loud = record.level in ("warning", "error")
        segments.append(Segment(part, self._style(record.level) if loud else self.rich_style))
        return Strip(segments).adjust_cell_length(width, self.rich_style).crop(0, width)

    def _to_end(self) -> None:
        # Forced: a first page arrives before the layout knows that there is something to scroll.
        self.scroll_to(y=self.virtual_size.height, animate=False, force=True, immediate=True)
        self.vertical_scrollbar.position = self.scroll_y  # it is not told while it is not shown

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"log--{name}")

    def _fold(self) -> None:
        self._width = self.size.width
        self._lines = [line for record in self.records for line in self._folded(record)]
        self._measure()

    def _folded(self, record: protocol.LogRecord) -> list[tuple[protocol.LogRecord, str, bool]]:
        room = max(20, (self._width or self.size.width or 80) - 25)
        message = text.clean(record.message)
        parts = textwrap.wrap(message, room, replace_whitespace=False, break_on_hyphens=False) or [""]
        return [(record, part, index == 0) for index, part in enumerate(parts)]

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.refresh()
