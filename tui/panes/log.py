"""Log: live, by level, searchable; older pages come as one scrolls up."""

from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nasd import protocol
from nasd.errors import NasdError
from tui import theme
from tui.link import Change, Link, Renewed
from tui.panes.pane import ListPane
from tui.widgets.filter import FilterLine
from tui.widgets.logview import LogView
from tui.work import work

LEVELS: tuple[protocol.LogLevel, ...] = get_args(protocol.LogLevel)
PAGE = 200


class Log(ListPane):
    """A filter line above the records."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "level", id="log.level", tooltip="Show only records of a level and above, in turn"),
        Binding("f", "follow", "follow", id="log.follow", tooltip="Go to the newest record and stay there"),
    ]  # fmt: skip

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._level: protocol.LogLevel = "info"
        self._older_asked = False
        self.listed: LogView = LogView()
        self.line = FilterLine(
            protocol.LOG_LISTING.fields, protocol.LOG_LISTING.searched, "type / to filter: source:worker lost",
            id="log",
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """Filter and records."""
        yield self.line
        yield self.listed

    def enter(self) -> None:
        """Catch up."""
        self.listed.focus()
        self._ask()

    def hear(self, change: Change) -> None:
        """A new record; debug records are not sent as events, so that level asks with every heartbeat."""
        match change:
            case Renewed():
                self._ask()
            case protocol.Logged() if self._matches(change.record):
                self.listed.add(change.record)
            case protocol.MachineLoad() if self._level == "debug" and self.listed.following:
                self._ask()

    def action_level(self) -> None:
        """The next level."""
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self._ask()

    def action_follow(self) -> None:
        """To the newest, and stay."""
        self.listed.follow()

    @on(LogView.AtTop)
    def _at_top(self) -> None:
        if self.listed.records and self.listed.more and not self._older_asked:
            self._older_asked = True
            work(self, "log", self._fetch, self.listed.records[0].id)

    @on(LogView.Scrolled)
    def _scrolled(self) -> None:
        self._tell_mode()

    def _tell_mode(self) -> None:
        self.line.beside(_mode(self._level, self.listed.following))

    @on(FilterLine.Asked)
    def _ask(self) -> None:
        self._older_asked = False
        self._tell_mode()
        work(self, "log", self._fetch, None)

    async def _fetch(self, before: int | None) -> None:
        params = protocol.LogParams(before=before, limit=PAGE, level=self._level, where=self.line.where)
        try:
            page: protocol.LogPage = await self.link.call("log", params)
        except NasdError as error:
            self.listed.fail(str(error))
            return
        finally:
            self._older_asked = False
        more = bool(page.rows) and page.rows[0].id > page.first and len(page.rows) >= PAGE
        if before is None:
            self.listed.replace(page.rows, more)
        else:
            self.listed.prepend(page.rows, more)

    def _matches(self, record: protocol.LogRecord) -> bool:
        level = LEVELS.index(record.level) >= LEVELS.index(self._level)
        return level and protocol.LOG_LISTING.matching(self.line.where)(record)


def _mode(level: protocol.LogLevel, following: bool) -> Content:
    """Level, and whether the newest record stays in view."""
    glyph, colour = theme.LEVELS[level]
    return Content.assemble(
        (f"{glyph} {level}", colour),
        (" and above · " if level != "error" else " · ", "$dim"),
        ("● following" if following else "‖ not following", "$success" if following else "$warning"),
    )
