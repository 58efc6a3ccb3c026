"""Trials: all of them, sorted and filtered by the daemon as one types."""

from collections.abc import Sequence
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
from tui import text, theme
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes.pane import Pane
from tui.widgets.table import Cell, Column, PagedTable

TYPING = 0.15
"""Seconds without a key before what was typed is looked for."""

NONE_YET = "No trial has finished yet.\nThe first one appears here by itself; 1 shows it training."

SORTS: tuple[protocol.TrialSort, ...] = get_args(protocol.TrialSort)
STATUSES: tuple[protocol.TrialStatus, ...] = get_args(protocol.TrialStatus)

COLUMNS = (
    Column("trial", 7, "right", sort="number"),
    Column("", 2),
    Column("reward %", 10, "right", sort="reward"),
    Column("best val", 9, "right", sort="best_validation", least=100),
    Column("test", 7, "right", sort="test_accuracy"),
    Column("stage", 8),
    Column("time", 6, "right", sort="seconds"),
    Column("finished", 10, "left", sort="finished_at", least=120),
    Column("architecture", 0),
)


class Trials(Pane):
    """A filter line, the table, and everything about the row under the cursor that does not fit into it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="trials.filter", tooltip="Look for a text in trials"),
        Binding("f", "status", "status", id="trials.status", tooltip="Show only trials of one status, in turn"),
        Binding("s", "sort", "sort", id="trials.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", show=False, id="trials.reverse", tooltip="Sort the other way round"),
        Binding("y,c", "copy", "copy", id="trials.copy", tooltip="Copy the architecture string"),
        Binding("r", "retrain", "retrain", id="trials.retrain", tooltip="Queue a retrain job of this architecture"),
        Binding("escape", "clear", "clear filter", show=False, id="trials.clear", tooltip="Show all trials again"),
    ]  # fmt: skip

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._status: protocol.TrialStatus | None = None
        self._typing: Timer | None = None
        self._table: PagedTable[protocol.TrialRow] = PagedTable(
            COLUMNS, self._cells, lambda row: row.number, self._fetch, NONE_YET, id="trials-table"
        )
        self._table.sort = "number"

    def compose(self) -> ComposeResult:
        """Filter, table, details."""
        with Horizontal(id="trials-filter"):
            yield Input(placeholder="type / to filter: architecture, status or reason", compact=True, id="trials-text")
            yield _Count(id="trials-count")
        yield self._table
        yield _Detail(id="trials-detail")

    def enter(self) -> None:
        """Catch up."""
        self._table.focus()
        self._table.renew()

    def hear(self, change: Change) -> None:
        """A trial more, or another run."""
        if isinstance(change, Renewed | protocol.TrialFinished):
            self._table.renew()

    # --- keys ------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type what to look for."""
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all again; from the filter line back to the table."""
        if self.query_one(Input).value or self._status:
            self._status = None
            self.query_one(Input).value = ""
            self._ask()
        self._table.focus()

    def action_status(self) -> None:
        """All, then one status after the other."""
        order = (None, *STATUSES)
        self._status = order[(order.index(self._status) + 1) % len(order)]
        self._ask()

    def action_sort(self) -> None:
        """By the next column."""
        now = SORTS.index(self._table.sort)
        self._sort_by(SORTS[(now + 1) % len(SORTS)])

    def action_reverse(self) -> None:
        """The other way round."""
        self._table.descending = not self._table.descending
        self._table.restart()

    def action_copy(self) -> None:
        """The architecture string of this row."""
        if row := self._table.row:
            self.post_message(CopyNet(row.net))

    def action_retrain(self) -> None:
        """A job for this row."""
        if row := self._table.row:
            self.post_message(Retrain(row.net, row.number))

    # --- what the widgets say --------------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self) -> None:
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING, self._ask)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._table.focus()

    @on(PagedTable.Sorted)
    def _title_clicked(self, message: PagedTable.Sorted) -> None:
        if message.sort == self._table.sort:
            self.action_reverse()
        else:
            self._sort_by(message.sort)

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        self.post_message(ShowTrial(message.row.number))

    @on(PagedTable.Moved)
    def _moved(self) -> None:
        self.query_one(_Detail).show(self._table.row, self.link.now)
        self.query_one(_Count).show(self._table.total, self._status)

    # --- the page --------------------------------------------------------------------------------------------------

    def _sort_by(self, sort: str) -> None:
        self._table.sort, self._table.descending = sort, True
        self._table.restart()

    def _ask(self) -> None:
        filtered = self.query_one(Input).value or self._status
        self._table.empty = "No trial matches.\nEsc shows all again." if filtered else NONE_YET
        self._table.restart()

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[protocol.TrialRow]]:
        page: protocol.TrialPage = await self.link.call(
            "trials",
            protocol.TrialsParams(
                offset=offset,
                limit=limit,
                sort=self._table.sort or "number",  # type: ignore[arg-type]
                descending=self._table.descending,
                text=self.query_one(Input).value.strip(),
                status=(self._status,) if self._status else (),
            ),
        )
        return page.total, page.rows

    def _cells(self, row: protocol.TrialRow) -> Sequence[Cell]:
        glyph, _, colour = theme.MARKS[row.status]
        mark = glyph + (theme.IMPORTED[0] if row.imported else " ")
        return (
            (str(row.number), "dim"),
            (mark, colour[1:] if row.status != "evaluated" else "success"),
            (text.percent(row.reward), "" if row.counted else "dim"),
            (text.percent(row.best_validation), ""),
            (text.percent(row.test_accuracy), ""),
            (text.clean(row.stage), "dim"),
            (text.short_duration(row.seconds) if row.seconds else "–", "dim"),
            (text.clock(row.finished_at, self.link.now)[-10:] if row.finished_at else "–", "dim"),
            (text.clean(row.net), "" if row.status == "evaluated" else "dim"),
        )


class _Count(Widget):
    """How many trials match."""

    DEFAULT_CSS = "_Count { width: auto; min-width: 20; height: 1; color: $dim; text-align: right; padding: 0 1; }"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._text = Content()

    def show(self, total: int | None, status: protocol.TrialStatus | None) -> None:
        """The number, and the status asked for."""
        wanted = f"only {theme.MARKS[status][1]} · " if status else ""
        number = "…" if total is None else f"{text.count(total)} trials"
        self._text = Content.assemble((wanted, "$warning"), number)
        self.refresh(layout=True)

    def render(self) -> Content:
        """The number."""
        return self._text


class _Detail(Widget):
    """The whole architecture string, and why the trial ended as it did."""

    DEFAULT_CSS = """
    _Detail { height: 4; border-top: solid $border; padding: 0 1; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._text = Content()

    def show(self, row: protocol.TrialRow | None, now: float) -> None:
        """Another row."""
        self._text = Content("\n").join([describe(row, now), Content(text.clean(row.net))]) if row else Content()
        self.refresh()

    def render(self) -> Content:
        """Two parts."""
        return self._text


def describe(row: protocol.TrialRow, now: float) -> Content:
    """What happened to a trial, in a sentence."""
    glyph, name, colour = theme.MARKS[row.status]
    parts: list[tuple[str, str]] = [(f"{glyph} {name}".strip(), colour if row.status != "evaluated" else "$success")]
    if row.duplicate_of is not None:
        parts.append((f" of trial {row.duplicate_of}, its reward counts again", ""))
    if row.reason:
        parts.append((f": {text.clean(row.reason)}", ""))
    if not row.counted:
        parts.append((" · does not count", "$dim"))
    if row.imported:
        parts += [(" · ", "$dim"), (f"{theme.IMPORTED[0]} {theme.IMPORTED[1]}", theme.IMPORTED[2])]
    if row.finished_at:
        parts.append((f" · {text.clock(row.finished_at, now)}", "$dim"))
    return Content.assemble(*parts)
