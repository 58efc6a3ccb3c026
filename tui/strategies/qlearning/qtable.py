"""Q-table: walk through the states of the search space."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from nasd import protocol
from nasd.protocol.qlearning import ACTION_LISTING, Action, QPage, QParams
from tui import text
from tui.link import Change, Link, Renewed
from tui.messages import ShowTrials
from tui.panes.pane import ListPane, StrategyPane
from tui.widgets.filter import FilterLine
from tui.widgets.table import Cell, Column, PagedTable

COLUMNS = (
    Column("", 1),
    Column("action", 24),
    Column("Q-value", 9, "right"),
    Column("", 20, least=70),
    Column("tried", 8, "right"),
    Column("", 0),
)


EMPTY = "This state has no actions.\nBackspace goes back."


class QTable(ListPane, StrategyPane):
    """Where one is, the greedy path from there, and the actions, best first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,left", "back", "back", id="q.back", tooltip="One layer back"),
        Binding("g", "greedy", "greedy step", id="q.greedy", tooltip="Go in by the best action"),
        Binding("G", "greedy_end", "greedy end", show=False, id="q.end", tooltip="Follow the best actions to the end"),
        Binding("w", "trials", "its trials", id="q.trials", tooltip="The trials that begin like this"),
        Binding("0", "start", "start", id="q.start", tooltip="Back to the start"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._path: tuple[str, ...] = ()
        self._page: QPage | None = None
        self._cursors: list[int] = []
        self._head = _Where()
        self.line = FilterLine(
            ACTION_LISTING.fields, ACTION_LISTING.searched, "tried>0 q>0.8 !ends:yes", id="q", lasting=False
        )
        self.listed: PagedTable[Action] = PagedTable(
            COLUMNS, self._cells, lambda action: action.text, self._fetch,
            EMPTY,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """Where, then the actions."""
        yield self._head
        yield self.line
        yield self.listed

    def enter(self) -> None:
        """Catch up."""
        self.listed.focus()
        self.listed.renew()

    def hear(self, change: Change) -> None:
        """Every trial changes Q-values."""
        if isinstance(change, Renewed | protocol.TrialFinished):
            self.listed.renew()

    def go(self, place: tuple[str, ...]) -> None:
        """Show a state, by the layers that lead there."""
        self._path, self._cursors = place, []
        self.listed.restart()

    def action_back(self) -> None:
        """One layer back, with the cursor where it was."""
        if self._path:
            self._path = self._path[:-1]
            self.listed.restart()
            if self._cursors:
                self.listed.cursor = self._cursors.pop()

    def action_greedy(self) -> None:
        """By the best action."""
        self._follow(1)

    def action_greedy_end(self) -> None:
        """To the state before the end of the greedy path."""
        self._follow(len(self._page.greedy_path) - 1 if self._page else 0)

    def action_trials(self) -> None:
        """Those whose architecture begins with the layers up to the row under the cursor."""
        action: Action | None = self.listed.row
        if action is not None:
            begin = ", ".join((*self._path, action.text))
            self.post_message(ShowTrials(f'"[{begin}{"]" if action.terminal else ","}"'))

    def action_start(self) -> None:
        """Back to the start."""
        self.go(())

    @on(FilterLine.Asked)
    def _asked(self) -> None:
        self.listed.empty = "No action matches.\nEsc lists all again." if self.line.where else EMPTY
        self.listed.restart()

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        action: Action = message.row
        if action.terminal:
            self.notify("The architecture ends here. Backspace goes back.", timeout=3)
            return
        self._cursors.append(self.listed.cursor)
        self._path = (*self._path, action.text)
        self.listed.restart()

    def _follow(self, steps: int) -> None:
        greedy = self._page.greedy_path if self._page else ()
        ahead = greedy[: min(steps, len(greedy) - 1)]  # the last one is the end: there is no state behind it
        if ahead:
            self.go((*self._path, *ahead))

    def _share(self, q: float) -> float:
        """Where a Q-value lies between the lowest and the best of the state: all of them lie close together."""
        page = self._page
        if page is None or page.best <= page.lowest:
            return 1.0
        return max(0.05, (q - page.lowest) / (page.best - page.lowest))

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[Action]]:
        path = self._path
        page: QPage = await self.link.call(
            "qlearning.page", QParams(path=path, offset=offset, limit=limit, where=self.line.where)
        )
        self._page = page
        self._head.show(page)
        return page.total, page.actions

    def _cells(self, action: Action) -> Sequence[Cell]:
        filled, _ = text.bar(self._share(action.q), 20)
        note = "ends here" if action.terminal else "greedy" if action.greedy else ""
        if not action.tried:
            note = "never tried"
        name = "success" if action.greedy else "" if action.tried else "dim"
        return (
            ("★" if action.greedy else "■" if action.terminal else " ", "success" if action.greedy else "violet"),
            (text.clean(action.text), name),
            (f"{action.q:.4f}", name),
            (filled, "primary" if action.tried else "faint"),
            (text.count(action.tried) if action.tried else "–", "" if action.tried else "dim"),
            (note, "dim"),
        )


class _Where(Widget):
    """The path to the state, its shape, and the greedy path from it."""

    DEFAULT_CSS = """
    _Where { height: 4; padding: 0 1; border-bottom: solid $border; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._page: QPage | None = None

    def show(self, page: QPage) -> None:
        """Another state, or new values."""
        self._page = page
        self.refresh()

    def render(self) -> Content:
        """Three lines, the ends of long paths kept."""
        page, width = self._page, self.content_size.width
        if page is None:
            return Content.styled("asking for the start …", "$dim")
        here = text.clean(" › ".join(("start", *page.path)))
        greedy = text.clean(" › ".join(page.greedy_path)) or "none known"
        if len(here) > width - 9:
            here = "…" + here[-(width - 10) :]
        return Content("\n").join(
            [
                Content.assemble(("state    ", "$dim"), (here, "bold")),
                Content.assemble(
                    ("image    ", "$dim"),
                    f"{page.image_size}×{page.image_size}",
                    ("   depth ", "$dim"),
                    str(page.depth),
                    ("   actions ", "$dim"),
                    text.count(page.total),
                ),
                Content.assemble(("greedy   ", "$dim"), ("★ ", "$success"), text.shorten(greedy, width - 11)),
            ]
        )
