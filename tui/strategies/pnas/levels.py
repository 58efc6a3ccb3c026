"""Levels: how far each is and how well it was predicted, and the cells of one of them, those to come first."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from nasd import protocol
from nasd.protocol import pnas
from nasd.protocol.pnas import CellRow, CellsParams, OutcomesParams
from tui import chart, text
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes.pane import StrategyPane
from tui.strategies.pnas.cell import draw
from tui.widgets.panel import Panel
from tui.widgets.table import Cell, Column, PagedTable

BARS = " ▁▂▃▄▅▆▇█"
COLUMNS = (
    Column("rank", 7, "right"),
    Column("state", 7),
    Column("predicted %", 11, "right"),
    Column("±", 6, "right", least=70),
    Column("reward %", 9, "right"),
    Column("cell", 0),
)
_STYLES = {"next": "dim", "open": "primary", "done": "", "failed": "error"}


class Levels(StrategyPane):
    """All levels, prediction against outcome, the cell under the cursor, and a level's cells."""

    DEFAULT_CSS = """
    Levels > Horizontal { height: 14; max-height: 55%; }
    Levels #levels-list { width: 5fr; }
    Levels #levels-chart { width: 4fr; }
    Levels #levels-cell { width: 3fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("comma", "level(-1)", "level before", id="levels.before", tooltip="Show the level before"),
        Binding("full_stop", "level(1)", "level after", id="levels.after", tooltip="Show the level after"),
        Binding("y,c", "copy", "copy", id="levels.copy", tooltip="Copy the cell's text"),
        Binding("r", "retrain", "retrain", id="levels.retrain", tooltip="Queue a retrain job of this cell"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._blocks = 0  # the level that is shown; 0: the newest
        self._list, self._chart, self._cell = _List(), _Outcomes(), _Drawing()
        self._table: PagedTable[CellRow] = PagedTable(
            COLUMNS, self._cells, lambda row: (self._blocks, row.rank), self._fetch, "This level has no cells."
        )

    def compose(self) -> ComposeResult:
        """What is known of levels at the top, the cells of one below."""
        with Horizontal():
            yield self._list
            yield self._chart
            yield self._cell
        yield self._table

    def enter(self) -> None:
        """Catch up."""
        self._table.focus()
        self._table.renew()

    def hear(self, change: Change) -> None:
        """A trial closes a cell, and a ranking makes a level."""
        if isinstance(change, Renewed | protocol.TrialFinished | protocol.StateChanged):
            self._table.renew()

    def action_level(self, step: int) -> None:
        """Another level."""
        known = self._list.levels.levels if self._list.levels else ()
        wanted = self._list.shown + step
        if 1 <= wanted <= len(known):
            self._blocks = wanted if wanted < len(known) else 0
            self._table.restart()

    def action_copy(self) -> None:
        """The text of the cell."""
        if row := self._table.row:
            self.post_message(CopyNet(row.net))

    def action_retrain(self) -> None:
        """A job for this cell."""
        if row := self._table.row:
            self.post_message(Retrain(row.net, row.trial))

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        if message.row.trial is None:
            self.notify("This cell is still to come: it has no trial yet.", timeout=3)
        else:
            self.post_message(ShowTrial(message.row.trial))

    @on(PagedTable.Moved)
    def _moved(self) -> None:
        self._cell.show(self._table.row)

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[CellRow]]:
        levels: pnas.Levels = await self.link.call("pnas.levels")
        page: pnas.Cells = await self.link.call(
            "pnas.cells", CellsParams(blocks=self._blocks, offset=offset, limit=limit)
        )
        outcomes: pnas.Outcomes = await self.link.call("pnas.outcomes", OutcomesParams(blocks=self._blocks))
        self._list.show(levels, page.blocks)
        self._chart.show(outcomes)
        return page.total, page.cells

    def _cells(self, row: CellRow) -> Sequence[Cell]:
        return (
            (str(row.rank), "dim"),
            (row.state, _STYLES.get(row.state, "")),
            (text.percent(row.prediction) if row.prediction is not None else "–", ""),
            (f"{100 * row.spread:.1f}" if row.spread is not None else "", "dim"),
            (text.percent(row.reward) if row.reward else "–", "success" if row.reward else "dim"),
            (text.clean(row.net), ""),
        )


class _List(Panel):
    """A line a level."""

    def __init__(self) -> None:
        super().__init__("levels", id="levels-list")
        self.levels: pnas.Levels | None = None
        self.shown = 0

    def show(self, levels: pnas.Levels, shown: int) -> None:
        """Other levels, or another one that is shown."""
        self.levels, self.shown = levels, shown
        most = "all" if levels.k is None else text.count(levels.k)
        self.border_subtitle = Content(f"{most} of a level · {levels.surrogate}, {levels.acquisition}")
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Trained of K, scored, correlation, best, and how the predictions of all candidates are distributed."""
        if self.levels is None:
            return []
        wide = width >= 43
        scored = f"{'scored':>11} " if wide else ""
        lines = [Content.styled(f"{'b':>4} {'trained':>9} {scored}{'corr.':>5} {'best':>7}", "$dim")]
        for level in self.levels.levels:
            mark = "▸ " if level.blocks == self.shown else "  "
            correlation = "–" if level.correlation is None else f"{level.correlation:.2f}"
            scored = f"{text.count(level.scored):>11} " if wide else ""
            lines.append(
                Content.assemble(
                    (mark, "$warning"), (f"{level.blocks:>2} ", "bold"), (f"{level.done}/{level.size}".rjust(9), ""),
                    (f" {scored}", "$dim"), (f"{correlation:>5} ", "$success"), (f"{text.percent(level.best):>7}", ""),
                )
            )  # fmt: skip
        scores = next((one.scores for one in self.levels.levels if one.blocks == self.shown), None)
        if scores is not None:
            low, high, counts = scores
            top = max(counts) or 1
            bars = "".join(BARS[-(-count * (len(BARS) - 1) // top)] for count in counts)
            lines += [Content(), Content.styled("predictions of those scored", "$dim")]
            lines.append(
                Content.assemble((f"{100 * low:.1f} ", "$dim"), (bars, "$secondary"), (f" {100 * high:.1f} %", "$dim"))
            )
        blocks = "1 block" if self.levels.blocks == 1 else f"{self.levels.blocks} blocks"
        lines += [Content(), Content.styled(f"{self.levels.space} cells of {blocks}", "$dim")]
        return lines


class _Outcomes(Panel):
    """Every evaluated cell of a level as a dot: its prediction, and its reward."""

    def __init__(self) -> None:
        super().__init__("reward by prediction", id="levels-chart")
        self._outcomes: pnas.Outcomes | None = None

    def show(self, outcomes: pnas.Outcomes) -> None:
        """Another level's, or more of them."""
        self._outcomes = outcomes
        known = outcomes.correlation
        self.border_subtitle = Content("" if known is None else f"b={outcomes.blocks}, Spearman {known:.2f}")
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The dots, and the line on which prediction and reward are the same."""
        if self._outcomes is None or not self._outcomes.pairs:
            return [Content.styled("Of this level nothing was predicted, or nothing came yet.", "$dim")]
        pairs = self._outcomes.pairs
        x, y = chart.spread([one for one, _ in pairs], 0.01), chart.spread([one for _, one in pairs], 0.01)
        axes = chart.Axes(x, y, x_text=_percent, y_text=_percent)
        low, high = max(x[0], y[0]), min(x[1], y[1])
        same = [(low, low), (high, high)] if low < high else []
        return chart.draw(
            width, height, axes, [chart.Series(same, "$faint"), chart.Series(pairs, "bold $warning", line=False)]
        )


class _Drawing(Panel):
    """The cell under the cursor."""

    def __init__(self) -> None:
        super().__init__("cell", id="levels-cell")
        self._row: CellRow | None = None

    def show(self, row: CellRow | None) -> None:
        """Another cell."""
        self._row = row
        self.border_subtitle = Content(f"rank {row.rank}" if row else "")
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Its blocks; those that do not fit are counted."""
        return draw(text.clean(self._row.net), width) if self._row else []


def _percent(share: float) -> str:
    return f"{100 * share:.4g}"
