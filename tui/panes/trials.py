"""Trials: all of them, sorted and filtered by the daemon as one types."""

from collections.abc import Sequence
from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from nasd import filters, protocol
from nasd.errors import NasdError
from tui import settings, text, theme
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes import trial_columns
from tui.panes.pane import ListPane
from tui.widgets.filter import FilterLine
from tui.widgets.table import Cell, PagedTable
from tui.work import work

NONE_YET = "No trial has finished yet.\nThe first one appears here by itself; 1 shows it training."

BEST_FIRST = ("reward", "best_validation", "test_accuracy")
"""Sorted by these, duplicates would drown what is new: each architecture is listed once unless one asks for all."""

MOST_COMPARED = 5

MOST_PATIENCE = 60.0
"""Seconds for a page: the first one by layers or parameters of a long run reads 10,000 architectures a second."""

STATUSES: tuple[protocol.TrialStatus, ...] = get_args(protocol.TrialStatus)


class Trials(ListPane):
    """A filter line, the table, and everything about the row under the cursor that does not fit into it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "status", "status", id="trials.status", tooltip="Show only trials of one status, in turn"),
        Binding("s", "sort", "sort", id="trials.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", show=False, id="trials.reverse", tooltip="Sort the other way round"),
        Binding("space", "select", "mark", id="trials.select", tooltip="Mark the row, for what is done to several"),
        Binding("c", "compare", "compare", id="trials.compare", tooltip="Two to five marked trials side by side"),
        Binding("y", "copy", "copy", id="trials.copy", tooltip="Copy the architecture, or those of the marked rows"),
        Binding("E", "export", "save", id="trials.export", tooltip="Save the row, or the marked rows, as CSV"),
        Binding("v", "columns", "columns", id="trials.columns", tooltip="Choose the columns; remembered"),
        Binding("D", "distinct", "distinct", id="trials.distinct", tooltip="Each architecture once, or every proposal"),
        Binding("asterisk", "star", "star", key_display="*", id="trials.star", tooltip="Star it; kept in the run"),
        Binding("N", "note", "note", id="trials.note", tooltip="Note something on the trial; kept in the run"),
        Binding("r", "retrain", "retrain", id="trials.retrain", tooltip="Queue a retrain job of this architecture"),
    ]  # fmt: skip

    OF_DAEMON = frozenset({"retrain", "star", "note"})

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._status: protocol.TrialStatus | None = None
        self._distinct: bool | None = None  # None: as suits the order
        self._marked: dict[int, protocol.TrialRow] = {}
        self.line = FilterLine(
            filters.FIELDS,
            "architecture, status and reason",
            "type / to filter: reward>0.84 layers<=5 C(32,5 status:failed | star:yes",
            id="trials",
        )
        self._choices = trial_columns.shown(None)
        self.listed: PagedTable[protocol.TrialRow] = PagedTable(
            [choice.column for choice in self._choices],
            self._cells,
            lambda row: row.number,
            self._fetch,
            NONE_YET,
            id="trials-table",
        )
        self.listed.sort = "number"

    def compose(self) -> ComposeResult:
        """Filter, table, details."""
        yield self.line
        yield self.listed
        yield _Detail(id="trials-detail")

    def on_mount(self) -> None:
        """The columns as they were chosen."""
        self._show_columns()

    def enter(self) -> None:
        """Catch up."""
        self.listed.focus()
        self.listed.renew()

    def hear(self, change: Change) -> None:
        """A trial more, or another run."""
        if isinstance(change, Renewed | protocol.TrialFinished):
            self.listed.renew()

    # --- keys ------------------------------------------------------------------------------------------------------

    def action_clear(self) -> None:
        """Show all again; from the filter line back to the table."""
        if self.line.text or self._status or self._marked:
            self._status = None
            self._marked.clear()
            self.line.put("")
        self.listed.focus()

    def action_status(self) -> None:
        """All, then one status after the other."""
        order = (None, *STATUSES)
        self._status = order[(order.index(self._status) + 1) % len(order)]
        self._ask()

    def action_sort(self) -> None:
        """By the next column that is shown and can be sorted by."""
        sorts = [choice.column.sort for choice in self._choices if choice.column.sort]
        now = sorts.index(self.listed.sort) if self.listed.sort in sorts else -1
        self._sort_by(sorts[(now + 1) % len(sorts)])

    def action_reverse(self) -> None:
        """The other way round."""
        self.listed.descending = not self.listed.descending
        self.listed.restart()

    def action_select(self) -> None:
        """Mark the row, or take the mark away; the cursor goes on."""
        if (row := self.listed.row) is None:
            return
        if self._marked.pop(row.number, None) is None:
            self._marked[row.number] = row
        self.listed.action_move(1)
        self._moved()

    def action_columns(self) -> None:
        """Choose which columns are shown; remembered."""
        from tui.dialogs.columns import Columns  # noqa: PLC0415

        kept = settings.of(self.app)

        def chosen(names: tuple[str, ...] | None) -> None:
            if names is not None:
                kept.trial_columns = None if names == trial_columns.DEFAULT else names
                settings.save(kept)
                self._show_columns()

        self.app.push_screen(Columns(kept.trial_columns or trial_columns.DEFAULT), chosen)

    def action_export(self) -> None:
        """What is chosen as CSV, into a file where the UI runs or onto the clipboard."""
        from tui.dialogs.export_rows import ExportRows  # noqa: PLC0415

        if rows := self._chosen():
            name = self.link.status.name if self.link.status else ""
            self.app.push_screen(ExportRows([row.number for row in rows], name, self.link))

    def action_compare(self) -> None:
        """What is marked, side by side."""
        from tui.dialogs.compare import Compare  # noqa: PLC0415

        if not 2 <= len(self._marked) <= MOST_COMPARED:
            self.notify(f"Mark two to {MOST_COMPARED} trials with space, then c compares them.")
            return
        self.app.push_screen(Compare(sorted(self._marked), self.link))

    def action_copy(self) -> None:
        """The architecture strings."""
        if rows := self._chosen():
            self.post_message(CopyNet("\n".join(row.net for row in rows)))

    def action_retrain(self) -> None:
        """A job for each."""
        if rows := self._chosen():
            self.post_message(Retrain(rows[0].net, rows[0].number, tuple(rows)))

    def action_distinct(self) -> None:
        """Each architecture once, or every proposal."""
        self._distinct = not self._once
        self._ask()

    def action_star(self) -> None:
        """Star what is chosen; take the stars away if all have one."""
        rows = self._chosen()
        work(self, "mark", self._marking, rows, not all(row.star for row in rows), None)

    def action_note(self) -> None:
        """Note something on the row."""
        from tui.dialogs.note import Note  # noqa: PLC0415

        if (row := self.listed.row) is None:
            return

        def written(note: str | None) -> None:
            if note is not None:
                work(self, "mark", self._marking, [row], None, note)

        self.app.push_screen(Note(row), written)

    def _show_columns(self) -> None:
        self._choices = trial_columns.shown(settings.of(self.app).trial_columns)
        self.listed.show_columns([choice.column for choice in self._choices])

    def _chosen(self) -> list[protocol.TrialRow]:
        """The marked rows, or the one under the cursor."""
        if self._marked:
            return [self._marked[number] for number in sorted(self._marked)]
        return [self.listed.row] if self.listed.row else []

    @property
    def _once(self) -> bool:
        return self.listed.sort in BEST_FIRST if self._distinct is None else self._distinct

    async def _marking(self, rows: Sequence[protocol.TrialRow], star: bool | None, note: str | None) -> None:
        for row in rows:
            try:
                await self.link.call("mark", protocol.MarkParams(number=row.number, star=star, note=note))
            except NasdError as error:
                self.notify(text.clean(str(error)), severity="error", markup=False)
                break
        self.listed.renew()

    def find(self, where: str) -> None:
        """List what a filter finds, each architecture's proposals with it."""
        self._status = None
        self.line.put(where)

    # --- what the widgets say --------------------------------------------------------------------------------------

    @on(PagedTable.Sorted)
    def _title_clicked(self, message: PagedTable.Sorted) -> None:
        if message.sort == self.listed.sort:
            self.action_reverse()
        else:
            self._sort_by(message.sort)

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        self.post_message(ShowTrial(message.row.number))

    @on(PagedTable.Moved)
    def _moved(self) -> None:
        self.query_one(_Detail).show(self.listed.row, self.link.now)
        self.line.beside(_counted(self.listed.total, self._status, once=self._once, marked=len(self._marked)))

    # --- the page --------------------------------------------------------------------------------------------------

    def _sort_by(self, sort: str) -> None:
        self.listed.sort, self.listed.descending = sort, True
        self.listed.restart()

    @on(FilterLine.Asked)
    def _ask(self) -> None:
        filtered = self.line.where or self._status
        self.listed.empty = "No trial matches.\nEsc shows all again." if filtered else NONE_YET
        self.listed.restart()

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[protocol.TrialRow]]:
        page: protocol.TrialPage = await self.link.call(
            "trials",
            protocol.TrialsParams(
                offset=offset,
                limit=limit,
                sort=self.listed.sort or "number",  # type: ignore[arg-type]
                descending=self.listed.descending,
                where=self.line.where,
                status=(self._status,) if self._status else (),
                distinct=self._once,
                sizes=any(choice.sizes for choice in self._choices),
            ),
            timeout=MOST_PATIENCE,
        )
        return page.total, page.rows

    def _cells(self, row: protocol.TrialRow) -> Sequence[Cell]:
        seen = trial_columns.Seen(row, row.number in self._marked, self.link.now)
        return [choice.cell(seen) for choice in self._choices]


def _counted(total: int | None, status: protocol.TrialStatus | None, *, once: bool, marked: int) -> Content:
    """How many trials match, and what was asked for."""
    wanted = f"only {theme.MARKS[status][1]} · " if status else ""
    wanted = (f"{marked} marked · " if marked else "") + wanted
    what = "architectures" if once else "trials"
    number = "…" if total is None else f"{text.count(total)} {what}"
    return Content.assemble((wanted, "$warning"), number)


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
    if row.star:
        parts.append((" · ★", "$warning"))
    if row.note:
        parts.append((f" · {text.clean(row.note)}", "$warning"))
    return Content.assemble(*parts)
