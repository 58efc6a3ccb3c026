"""Log: live, by level, searchable; older pages come as one scrolls up."""

from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from nasd import protocol
from nasd.errors import NasdError
from tui import theme
from tui.link import Change, Link, Renewed
from tui.panes.pane import Pane
from tui.widgets.logview import LogView
from tui.work import work

LEVELS: tuple[protocol.LogLevel, ...] = get_args(protocol.LogLevel)
PAGE = 200
TYPING = 0.15


class Log(Pane):
    """A filter line above the records."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", id="log.search", tooltip="Only records that hold a text"),
        Binding("l", "level", "level", id="log.level", tooltip="Show only records of a level and above, in turn"),
        Binding("f", "follow", "follow", id="log.follow", tooltip="Go to the newest record and stay there"),
        Binding("escape", "clear", "clear search", show=False, id="log.clear", tooltip="Show all records again"),
    ]  # fmt: skip

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._level: protocol.LogLevel = "info"
        self._typing: Timer | None = None
        self._older_asked = False
        self._view = LogView()
        self._mode = _Mode()

    def compose(self) -> ComposeResult:
        """Filter and records."""
        with Horizontal(id="log-filter"):
            yield Input(placeholder="type / to search", compact=True, id="log-text")
            yield self._mode
        yield self._view

    def enter(self) -> None:
        """Catch up."""
        self._view.focus()
        self._ask()

    def hear(self, change: Change) -> None:
        """A new record; debug records are not sent as events, so that level asks with every heartbeat."""
        match change:
            case Renewed():
                self._ask()
            case protocol.Logged() if self._matches(change.record):
                self._view.add(change.record)
            case protocol.MachineLoad() if self._level == "debug" and self._view.following:
                self._ask()

    def action_search(self) -> None:
        """Type what to look for."""
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all again."""
        if self.query_one(Input).value:
            self.query_one(Input).value = ""
        self._view.focus()

    def action_level(self) -> None:
        """The next level."""
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self._ask()

    def action_follow(self) -> None:
        """To the newest, and stay."""
        self._view.follow()

    @on(Input.Changed)
    def _typed(self) -> None:
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING, self._ask)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._view.focus()

    @on(LogView.AtTop)
    def _at_top(self) -> None:
        if self._view.records and self._view.more and not self._older_asked:
            self._older_asked = True
            work(self, "log", self._fetch, self._view.records[0].id)

    @on(LogView.Scrolled)
    def _scrolled(self) -> None:
        self._mode.show(self._level, self._view.following)

    def _ask(self) -> None:
        self._older_asked = False
        self._mode.show(self._level, self._view.following)
        work(self, "log", self._fetch, None)

    async def _fetch(self, before: int | None) -> None:
        text = self.query_one(Input).value.strip()
        params = protocol.LogParams(before=before, limit=PAGE, level=self._level, text=text)
        try:
            page: protocol.LogPage = await self.link.call("log", params)
        except NasdError as error:
            self._view.fail(str(error))
            return
        finally:
            self._older_asked = False
        more = bool(page.rows) and page.rows[0].id > page.first and len(page.rows) >= PAGE
        if before is None:
            self._view.replace(page.rows, more)
        else:
            self._view.prepend(page.rows, more)

    def _matches(self, record: protocol.LogRecord) -> bool:
        wanted = self.query_one(Input).value.strip().lower()
        level = LEVELS.index(record.level) >= LEVELS.index(self._level)
        return level and wanted in f"{record.source} {record.message}".lower()


class _Mode(Widget):
    """Level, and whether the newest record stays in view."""

    DEFAULT_CSS = "_Mode { width: auto; min-width: 34; height: 1; text-align: right; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = Content()

    def show(self, level: protocol.LogLevel, following: bool) -> None:
        """Another mode."""
        glyph, colour = theme.LEVELS[level]
        self._text = Content.assemble(
            (f"{glyph} {level}", colour),
            (" and above · " if level != "error" else " · ", "$dim"),
            ("● following" if following else "‖ not following", "$success" if following else "$warning"),
        )
        self.refresh(layout=True)

    def render(self) -> Content:
        """One line."""
        return self._text
