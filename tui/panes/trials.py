"""Trials: all of them, sorted and filtered by the daemon as one types."""

from collections.abc import Sequence
from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.suggester import Suggester
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from nasd import filters, protocol
from nasd.errors import NasdError
from tui import text, theme
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes.pane import Pane
from tui.widgets.table import Cell, Column, PagedTable
from tui.work import work

TYPING = 0.15
"""Seconds without a key before what was typed is looked for."""

NONE_YET = "No trial has finished yet.\nThe first one appears here by itself; 1 shows it training."

BEST_FIRST = ("reward", "best_validation", "test_accuracy")
"""Sorted by these, duplicates would drown what is new: each architecture is listed once unless one asks for all."""

MOST_COMPARED = 5

SORTS: tuple[protocol.TrialSort, ...] = get_args(protocol.TrialSort)
STATUSES: tuple[protocol.TrialStatus, ...] = get_args(protocol.TrialStatus)

COLUMNS = (
    Column("trial", 7, "right", sort="number"),
    Column("", 3),
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
        Binding("space", "select", "mark", id="trials.select", tooltip="Mark the row, for what is done to several"),
        Binding("c", "compare", "compare", id="trials.compare", tooltip="Two to five marked trials side by side"),
        Binding("y", "copy", "copy", id="trials.copy", tooltip="Copy the architecture, or those of the marked rows"),
        Binding("D", "distinct", "distinct", id="trials.distinct", tooltip="Each architecture once, or every proposal"),
        Binding("asterisk", "star", "star", key_display="*", id="trials.star", tooltip="Star it; kept in the run"),
        Binding("N", "note", "note", id="trials.note", tooltip="Note something on the trial; kept in the run"),
        Binding("r", "retrain", "retrain", id="trials.retrain", tooltip="Queue a retrain job of this architecture"),
        Binding("escape", "clear", "clear filter", show=False, id="trials.clear", tooltip="Show all trials again"),
    ]  # fmt: skip

    OF_DAEMON = frozenset({"retrain", "star", "note"})

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._status: protocol.TrialStatus | None = None
        self._typing: Timer | None = None
        self._distinct: bool | None = None  # None: as suits the order
        self._marked: dict[int, protocol.TrialRow] = {}
        self._where = ""
        self._table: PagedTable[protocol.TrialRow] = PagedTable(
            COLUMNS, self._cells, lambda row: row.number, self._fetch, NONE_YET, id="trials-table"
        )
        self._table.sort = "number"

    def compose(self) -> ComposeResult:
        """Filter, table, details."""
        with Horizontal(id="trials-filter"):
            yield Input(
                placeholder="type / to filter: reward>0.84 layers<=5 C(32,5 status:failed | star:yes",
                compact=True,
                suggester=_Completion(),
                id="trials-text",
            )
            yield _Count(id="trials-count")
        yield _Hint(id="trials-hint")
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
        if self.query_one(Input).value or self._status or self._marked:
            self._status = None
            self._marked.clear()
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

    def action_select(self) -> None:
        """Mark the row, or take the mark away; the cursor goes on."""
        if (row := self._table.row) is None:
            return
        if self._marked.pop(row.number, None) is None:
            self._marked[row.number] = row
        self._table.action_move(1)
        self._moved()

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

        if (row := self._table.row) is None:
            return

        def written(note: str | None) -> None:
            if note is not None:
                work(self, "mark", self._marking, [row], None, note)

        self.app.push_screen(Note(row), written)

    def _chosen(self) -> list[protocol.TrialRow]:
        """The marked rows, or the one under the cursor."""
        if self._marked:
            return [self._marked[number] for number in sorted(self._marked)]
        return [self._table.row] if self._table.row else []

    @property
    def _once(self) -> bool:
        return self._table.sort in BEST_FIRST if self._distinct is None else self._distinct

    async def _marking(self, rows: Sequence[protocol.TrialRow], star: bool | None, note: str | None) -> None:
        for row in rows:
            try:
                await self.link.call("mark", protocol.MarkParams(number=row.number, star=star, note=note))
            except NasdError as error:
                self.notify(text.clean(str(error)), severity="error", markup=False)
                break
        self._table.renew()

    def find(self, where: str) -> None:
        """List what a filter finds, each architecture's proposals with it."""
        self._status = None
        self.query_one(Input).value = where
        self._ask()

    # --- what the widgets say --------------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one(_Hint).show(self.query_one(Input).value)
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
        self.query_one(_Count).show(self._table.total, self._status, once=self._once, marked=len(self._marked))

    # --- the page --------------------------------------------------------------------------------------------------

    def _sort_by(self, sort: str) -> None:
        self._table.sort, self._table.descending = sort, True
        self._table.restart()

    def _ask(self) -> None:
        where = self.query_one(Input).value.strip()
        try:
            filters.parse(where)
        except filters.FilterError:
            return  # the hint says what is wrong; what is listed stays
        self._where = where
        filtered = where or self._status
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
                where=self._where,
                status=(self._status,) if self._status else (),
                distinct=self._once,
            ),
        )
        return page.total, page.rows

    def _cells(self, row: protocol.TrialRow) -> Sequence[Cell]:
        glyph, _, colour = theme.MARKS[row.status]
        chosen = "◆" if row.number in self._marked else "★" if row.star else " "
        mark = glyph + (theme.IMPORTED[0] if row.imported else " ") + chosen
        return (
            (str(row.number), "dim"),
            (mark, colour[1:] if row.status != "evaluated" else "success"),
            (text.percent(row.reward), "" if row.counted else "dim"),
            (text.percent(row.best_validation), ""),
            (text.percent(row.test_accuracy), ""),
            (text.clean(row.stage), "dim"),
            (text.short_duration(row.seconds) if row.seconds else "–", "dim"),
            (text.clock(row.finished_at, self.link.now)[-10:] if row.finished_at else "–", "dim"),
            (
                (f"{row.proposed}x " if row.proposed > 1 else "") + text.clean(row.net),
                "" if row.status == "evaluated" else "dim",
            ),
        )


class _Count(Widget):
    """How many trials match."""

    DEFAULT_CSS = "_Count { width: auto; min-width: 20; height: 1; color: $dim; text-align: right; padding: 0 1; }"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._text = Content()

    def show(self, total: int | None, status: protocol.TrialStatus | None, *, once: bool, marked: int) -> None:
        """The number, and what was asked for."""
        wanted = f"only {theme.MARKS[status][1]} · " if status else ""
        wanted = (f"{marked} marked · " if marked else "") + wanted
        what = "architectures" if once else "trials"
        number = "…" if total is None else f"{text.count(total)} {what}"
        self._text = Content.assemble((wanted, "$warning"), number)
        self.refresh(layout=True)

    def render(self) -> Content:
        """The number."""
        return self._text


class _Completion(Suggester):
    """The rest of a field's name or of a value, taken with the right arrow."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its last word completed."""
        completed = filters.complete(value)
        return completed if completed != value else None


class _Hint(Widget):
    """While a filter is typed: what the last word may be, or which term is none, underlined, and what was expected."""

    DEFAULT_CSS = """
    _Hint { height: 1; display: none; padding: 0 1; color: $dim; background: $surface; text-wrap: nowrap;
            text-overflow: ellipsis; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._text = Content()

    def show(self, typed: str) -> None:
        """Another text."""
        self.display = bool(typed.strip())
        self._text = self._said(typed)
        self.refresh()

    def _said(self, typed: str) -> Content:
        try:
            filters.parse(typed)
        except filters.FilterError as error:
            wrong = (text.clean(typed[error.start : error.end]), "underline $error")
            return Content.assemble(("✗ ", "$error"), wrong, f" expected {error.expected}")
        word = typed.rsplit(maxsplit=1)[-1].lstrip("!") if typed.split() and not typed.endswith(" ") else ""
        name = word.split(":")[0].split("<")[0].split(">")[0].split("=")[0]
        if name in filters.FIELDS and name != word:
            return Content(f"{name}: {filters.FIELDS[name][1]}")
        fitting = [field for field in filters.FIELDS if field.startswith(word)]
        return Content("fields " + " ".join(fitting) if fitting else "looked for in architecture, status and reason")

    def render(self) -> Content:
        """One line."""
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
    if row.star:
        parts.append((" · ★", "$warning"))
    if row.note:
        parts.append((f" · {text.clean(row.note)}", "$warning"))
    return Content.assemble(*parts)
