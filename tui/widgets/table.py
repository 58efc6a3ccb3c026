"""A table over pages of a server: any number of rows, only those near the screen are here."""

import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer
from textual.worker import Worker

from nasd import protocol
from nasd.errors import NasdError
from tui.text import shorten
from tui.work import work

Row = TypeVar("Row")
Fetch = Callable[[int, int], Awaitable[tuple[int, Sequence[Row]]]]

PAUSE = 0.4
"""Least seconds between two reloads because of events; a slow link stretches it to four times its answer time."""


LEAST_REST = 8
"""Cells that the column without a width keeps."""


@dataclass(frozen=True)
class Column:
    """One column; width 0 takes what the others leave, and there is at most one such column, the last."""

    title: str
    width: int
    align: Literal["left", "right"] = "left"
    sort: str | None = None  # a click on the title sorts by this
    least: int = 0  # shown from this table width on


Cell = tuple[str, str]
"""A text, and the name of a component class (without its prefix) or nothing."""


class PagedTable(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """Fetches a window around what is visible: one request at a time, for where the screen is by then.

    The cursor stays on its row while rows come in above it; on the first row it stays there, and follows the newest.
    """

    DEFAULT_CSS = """
    PagedTable { scrollbar-size-vertical: 1; overflow-x: hidden; background: $background; }
    PagedTable > .cell--title { color: $dim; text-style: bold; background: $surface; }
    PagedTable > .cell--sorted { color: $primary; text-style: bold; background: $surface; }
    PagedTable > .cell--plain { color: $foreground; }
    PagedTable > .cell--cursor { background: $block-cursor-background 45%; }
    PagedTable:focus > .cell--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    PagedTable > .cell--dim { color: $dim; }
    PagedTable > .cell--faint { color: $faint; }
    PagedTable > .cell--strong { text-style: bold; }
    PagedTable > .cell--primary { color: $primary; }
    PagedTable > .cell--success { color: $success; }
    PagedTable > .cell--warning { color: $warning; }
    PagedTable > .cell--error { color: $error; }
    PagedTable > .cell--violet { color: $violet; }
    PagedTable > .cell--accent { color: $accent; }
    """

    _STYLES = ("plain", "title", "sorted", "cursor", "dim", "faint", "strong", "primary", "success", "warning")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"cell--{name}" for name in (*_STYLES, "error", "violet", "accent")
    }  # fmt: skip

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="table.open", tooltip="Open the row under the cursor"),
        Binding("up,k", "move(-1)", "up", show=False, id="table.up", tooltip="One row up"),
        Binding("down,j", "move(1)", "down", show=False, id="table.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="table.pageup", tooltip="One screen up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="table.pagedown", tooltip="One screen down"),
        Binding("home", "jump(0)", "first", show=False, id="table.home", tooltip="The first row"),
        Binding("end", "jump(-1)", "last", show=False, id="table.end", tooltip="The last row"),
    ]

    class Opened(Message):
        """A row was chosen with Enter or a second click."""

        def __init__(self, table: "PagedTable[Any]", row: Any) -> None:
            super().__init__()
            self.table, self.row = table, row

    class Moved(Message):
        """The row under the cursor is another, or reads differently."""

        def __init__(self, table: "PagedTable[Any]") -> None:
            super().__init__()
            self.table = table

    class Sorted(Message):
        """The title of a sortable column was clicked."""

        def __init__(self, table: "PagedTable[Any]", sort: str) -> None:
            super().__init__()
            self.table, self.sort = table, sort

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Cell]],
        key: Callable[[Row], Hashable],
        fetch: Fetch[Row],
        empty: str,
        id: str | None = None,
    ) -> None:
        """Create a table.

        Args:
            columns: From left to right.
            cells: One cell for each column of a row.
            key: What stays the same while a row changes.
            fetch: The rows from an offset, at most so many, and how many there are in all. May raise NasdError.
            empty: Said instead of rows if there are none; lines are kept.
            id: The widget's id.
        """
        super().__init__(id=id)
        self.columns = columns
        self.empty = empty
        self.total: int | None = None
        self.cursor = 0
        self.sort: str | None = None
        self.descending = True
        self.failure = ""
        self._cells, self._key, self._fetch = cells, key, fetch
        self._offset = 0
        self._rows: Sequence[Row] = ()
        self._stale = True
        self._loader: Worker[None] | None = None
        self._loaded = self._took = 0.0  # when, and how long it took
        self._timer: Timer | None = None
        self._styles: dict[str, Style] = {}

    # --- what the pane asks ----------------------------------------------------------------------------------------

    @property
    def row(self) -> Row | None:
        """The row under the cursor, if it is here."""
        return self._at(self.cursor)

    def restart(self) -> None:
        """The question changed: back to the first row, and ask anew."""
        self.total, self._rows, self._offset, self.cursor = None, (), 0, 0
        self.scroll_to(y=0, animate=False)
        if self._loader is not None:
            self._loader.cancel()
            self._loader = None
        self._stale = True
        self._load()
        self.refresh()

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Other columns, for which `cells` has cells by now; the rows are asked for anew, the cursor stays."""
        self.columns = columns
        self.renew()
        self.refresh()

    def renew(self) -> None:
        """Something changed over there: ask again, but not too often."""
        self._stale = True
        wait = max(PAUSE, 4 * self._took) - (time.monotonic() - self._loaded)
        if wait <= 0:
            self._load()
        elif self._timer is None:
            self._timer = self.set_timer(wait, self._load)

    def place(self, index: int) -> None:
        """Put the cursor on a row."""
        last = max(0, (self.total or 0) - 1)
        self.cursor = min(last, max(0, index))
        top, height = round(self.scroll_y), self._visible
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
        self._load()
        self.refresh()
        self.post_message(self.Moved(self))

    # --- keys and mouse --------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Tell that a row was chosen."""
        if (row := self.row) is not None:
            self.post_message(self.Opened(self, row))

    def action_move(self, step: int) -> None:
        """The cursor goes up or down."""
        self.place(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A screen up or down."""
        self.place(self.cursor + step * max(1, self._visible - 1))

    def action_jump(self, index: int) -> None:
        """To the first row (0) or the last (-1)."""
        self.place(index if index >= 0 else (self.total or 0) - 1)

    def on_click(self, event: events.Click) -> None:
        """The title sorts, a row is selected, the selected row or a double click opens."""
        if event.y == 0:
            for column, start, width in self._layout():
                if column.sort and start <= event.x < start + width:
                    self.post_message(self.Sorted(self, column.sort))
            return
        index = round(self.scroll_y) + event.y - 1
        if 0 <= index < (self.total or 0):
            again = index == self.cursor and event.chain > 1
            self.place(index)
            if again:
                self.action_open()

    # --- loading ---------------------------------------------------------------------------------------------------

    @property
    def _visible(self) -> int:
        return max(1, self.size.height - 1)

    def _at(self, index: int) -> Row | None:
        here = index - self._offset
        return self._rows[here] if 0 <= here < len(self._rows) else None

    def _wanted(self) -> tuple[int, int]:
        height = self._visible
        start = max(0, round(self.scroll_y) - height)
        return start, min(protocol.MAX_PAGE, max(60, 3 * height))

    def _lacks(self) -> bool:
        """Whether a row within half a screen of what is visible is not here."""
        if self.total is None:
            return True
        top, height = round(self.scroll_y), self._visible
        first, last = max(0, top - height // 2), min(self.total, top + height + height // 2)
        return first < self._offset or last > self._offset + len(self._rows)

    def _load(self) -> None:
        busy = self._loader is not None and not self._loader.is_finished
        if busy or not self.is_attached or not (self._stale or self._lacks()):
            return
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._loader = work(self, f"load-{id(self)}", self._loading)

    async def _loading(self) -> None:
        while self._stale or self._lacks():
            self._stale = False
            started = time.monotonic()
            try:
                offset, limit = self._wanted()
                total, rows = await self._fetch(offset, limit)
            except NasdError as error:
                self.failure = str(error)
                self.refresh()
                return
            self._loaded = time.monotonic()
            self._took = self._loaded - started
            self.failure = ""
            self._take(total, offset, rows)
            if not rows and offset >= total:
                return

    def _take(self, total: int, offset: int, rows: Sequence[Row]) -> None:
        before = self.row
        self.total, self._offset, self._rows = total, offset, rows
        self.virtual_size = Size(self.size.width, total + 1)
        shift = self._shift(before)
        if shift:
            self.cursor += shift
            self.scroll_to(y=max(0, self.scroll_y + shift), animate=False)
        self.cursor = min(self.cursor, max(0, total - 1))
        self.refresh()
        self.post_message(self.Moved(self))

    def _shift(self, before: Row | None) -> int:
        """By how much the row under the cursor moved; it then takes the screen along."""
        if before is None or self.cursor == 0:
            return 0
        key = self._key(before)
        now = self.row
        if now is not None and self._key(now) == key:
            return 0
        found = [index for index, row in enumerate(self._rows) if self._key(row) == key]
        return self._offset + found[0] - self.cursor if found else 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """What became visible must be here."""
        super().watch_scroll_y(old_value, new_value)
        self._load()

    def on_resize(self) -> None:
        """More may be visible; the cursor must stay so."""
        self.virtual_size = Size(self.size.width, (self.total or 0) + 1)
        if self.total is not None:
            self.place(self.cursor)

    def on_show(self) -> None:
        """Back on the screen."""
        self._load()

    # --- drawing ---------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """The titles, then rows."""
        width = self.size.width
        if y == 0:
            return self._title(width)
        index = round(self.scroll_y) + y - 1
        if not self.total:
            return self._message(y, width)
        if index >= self.total:
            return Strip.blank(width, self._style("plain"))
        row = self._at(index)
        if row is None:
            return Strip([Segment(" ·".ljust(width), self._style("faint"))])
        under = self._style("cursor") if index == self.cursor else Style()
        cells = self._cells(row)
        segments = [Segment(" ", self._style("plain") + under)]
        for number, (column, _, room) in enumerate(self._layout()):
            text, name = cells[self.columns.index(column)]
            text = shorten(text, room)
            padded = text.rjust(room) if column.align == "right" else text.ljust(room)
            style = self._style("plain") + self._style(name or "plain") + under
            if name and index == self.cursor:
                style += Style(color=self._style(name).color)  # a mark keeps its colour under the cursor
            segments.append(Segment(padded + (" " if number + 1 < len(self.columns) else ""), style))
        strip = Strip(segments).adjust_cell_length(width, self._style("plain") + under)
        return strip.crop(0, width)

    def _title(self, width: int) -> Strip:
        segments = [Segment(" ", self._style("title"))]
        for column, _, room in self._layout():
            by_this = column.sort is not None and column.sort == self.sort
            title = column.title + ((" ▾" if self.descending else " ▴") if by_this else "")
            title = title[:room].rjust(room) if column.align == "right" else title[:room].ljust(room)
            segments.append(Segment(title + " ", self._style("sorted" if by_this else "title")))
        return Strip(segments).adjust_cell_length(width, self._style("title")).crop(0, width)

    def _message(self, y: int, width: int) -> Strip:
        said = self.failure or ("loading …" if self.total is None else self.empty)
        lines = said.split("\n")
        at = y - max(1, (self.size.height - len(lines)) // 3)
        text = lines[at].center(width) if 0 <= at < len(lines) else ""
        style = "error" if self.failure else "dim"
        return Strip([Segment(text[:width].ljust(width), self._style("plain") + self._style(style))])

    def _layout(self) -> list[tuple[Column, int, int]]:
        """The columns that are shown, with their start and width."""
        width = self.size.width - 1
        shown = [column for column in self.columns if width >= column.least]
        rest = LEAST_REST if shown and not shown[-1].width else 0
        while len(shown) > 2 and sum(column.width + 1 for column in shown) + rest > width:
            shown.pop(-2 if rest else -1)  # what does not fit is left out, from the right
        fixed = sum(column.width + 1 for column in shown)
        start, found = 1, []
        for column in shown:
            room = column.width or max(4, width - fixed)
            found.append((column, start, room))
            start += room + 1
        return found

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(f"cell--{name}", partial=name != "plain")
        return self._styles[name]
