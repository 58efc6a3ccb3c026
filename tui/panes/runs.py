"""Runs: every run on this box; Enter attaches to another without leaving."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nasd import protocol
from tui import text
from tui.link import Change, Link, Renewed
from tui.messages import AttachRun
from tui.panes.pane import Pane
from tui.widgets.table import Cell, Column, PagedTable

COLUMNS = (
    Column("", 1),
    Column("run", 24),
    Column("state", 12),
    Column("counted", 16, "right"),
    Column("best %", 8, "right"),
    Column("changed", 20, least=100),
    Column("directory", 0, least=90),
)

STATES = {
    "running": ("●", "success"),
    "paused": ("‖", "warning"),
    "finished": ("✓", "primary"),
    "stopped": ("■", "dim"),
    "unreadable": ("✗", "error"),
}


class Runs(Pane):
    """The list; the run one is attached to is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "again", "look again", id="runs.again", tooltip="Ask for the list anew"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._table: PagedTable[protocol.RunRow] = PagedTable(
            COLUMNS, self._cells, lambda run: run.directory, self._fetch,
            "There is no run on this box.\n`nasd start CONFIG` begins one.",
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """The list."""
        yield self._table

    def enter(self) -> None:
        """Ask anew."""
        self._table.focus()
        self._table.renew()

    def hear(self, change: Change) -> None:
        """After a reconnection; the list is not followed otherwise."""
        if isinstance(change, Renewed):
            self._table.renew()

    def action_again(self) -> None:
        """Ask anew."""
        self._table.renew()

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        run: protocol.RunRow = message.row
        if self._here(run):
            self.notify("This is the run you are attached to.", timeout=3)
        elif run.state in ("stopped", "unreadable"):
            self.notify(
                f"No daemon runs {text.clean(run.name)} ({run.state}): `nasd start {text.clean(run.name)}` begins one.",
                severity="warning", markup=False,
            )  # fmt: skip
        else:
            self.post_message(AttachRun(run.directory, run.name))

    def _here(self, run: protocol.RunRow) -> bool:
        return self.link.status is not None and self.link.status.directory == run.directory

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[protocol.RunRow]]:
        runs: protocol.RunList = await self.link.call("runs")
        return len(runs.rows), runs.rows[offset : offset + limit]

    def _cells(self, run: protocol.RunRow) -> Sequence[Cell]:
        glyph, colour = STATES[run.state]
        return (
            ("▶" if self._here(run) else " ", "primary"),
            (text.clean(run.name), "strong" if self._here(run) else ""),
            (f"{glyph} {run.state}", colour),
            (text.count(run.counted) + (f"/{text.count(run.total)}" if run.total is not None else ""), ""),
            (text.percent(run.best_reward), "strong"),
            (text.clock(run.modified_at, self.link.now), "dim"),
            (text.clean(run.directory), "dim"),
        )
