"""Population: the living architectures of an evolution by age, each with its reward."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nasd import protocol
from nasd.protocol import evolution
from nasd.protocol.evolution import Member, PopulationParams
from tui import chart, text
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes.pane import StrategyPane
from tui.widgets.panel import Panel
from tui.widgets.table import Cell, Column, PagedTable

COLUMNS = (
    Column("age", 5, "right"),
    Column("trial", 7, "right"),
    Column("reward %", 9, "right"),
    Column("", 12, least=70),
    Column("parent", 7, "right"),
    Column("architecture", 0),
)


class Population(StrategyPane):
    """The rewards by age as a chart, and the members, youngest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "parent", "parent", id="population.parent", tooltip="Open the trial that this one was made from"),
        Binding("y,c", "copy", "copy", id="population.copy", tooltip="Copy the architecture string"),
        Binding("r", "retrain", "retrain", id="population.retrain", tooltip="Queue a retrain job of this architecture"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._chart = _ByAge()
        self._page: evolution.Population | None = None
        self._table: PagedTable[Member] = PagedTable(
            COLUMNS, self._cells, lambda member: member.trial, self._fetch,
            "Nobody lives yet.\nThe first trial that counts is the first member.",
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """The chart, then the members."""
        yield self._chart
        yield self._table

    def enter(self) -> None:
        """Catch up."""
        self._table.focus()
        self._table.renew()

    def hear(self, change: Change) -> None:
        """A trial that counts is born, and the oldest dies."""
        if isinstance(change, Renewed | protocol.TrialFinished):
            self._table.renew()

    def action_parent(self) -> None:
        """The trial that this one was made from."""
        if (member := self._table.row) is None:
            return
        if member.parent is None:
            self.notify("This architecture was drawn at random: it has no parent.", timeout=3)
            return
        self.post_message(ShowTrial(member.parent))

    def action_copy(self) -> None:
        """The architecture string of this member."""
        if member := self._table.row:
            self.post_message(CopyNet(member.net))

    def action_retrain(self) -> None:
        """A job for this member."""
        if member := self._table.row:
            self.post_message(Retrain(member.net, member.trial))

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        self.post_message(ShowTrial(message.row.trial))

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[Member]]:
        # The chart is of all members; a population is small, so that a page of the greatest size mostly holds it.
        page: evolution.Population = await self.link.call("evolution.population", PopulationParams())
        if offset + limit > len(page.members) < page.total:
            rows: evolution.Population = await self.link.call(
                "evolution.population", PopulationParams(offset=offset, limit=limit)
            )
        else:
            rows = msgspec.structs.replace(page, members=page.members[offset : offset + limit])
        self._page = page
        self._chart.show(page)
        return rows.total, rows.members

    def _cells(self, member: Member) -> Sequence[Cell]:
        rewards = [one.reward for one in self._page.members] if self._page else []
        low, high = min(rewards, default=0.0), max(rewards, default=1.0)
        share = (member.reward - low) / (high - low) if high > low else 1.0
        best = member.reward == high
        return (
            (str(member.age), "dim"),
            (str(member.trial), "dim"),
            (text.percent(member.reward), "success" if best else ""),
            (text.bar(share, 12)[0], "success" if best else "primary"),
            (str(member.parent) if member.parent is not None else "–", ""),
            (text.clean(member.net), ""),
        )


class _ByAge(Panel):
    """Every member as a dot: how old it is, and its reward."""

    DEFAULT_CSS = """
    _ByAge { height: 9; }
    """

    def __init__(self) -> None:
        super().__init__("reward by age", id="population-chart")
        self._page: evolution.Population | None = None

    def show(self, page: evolution.Population) -> None:
        """Another population."""
        self._page = page
        best = max((member.reward for member in page.members), default=None)
        facts = [f"{text.count(page.total)} of {text.count(page.size)} live"]
        facts += [f"parents are the best of {text.count(page.sample_size)} drawn", f"best {text.percent(best)}"]
        self.border_subtitle = Content(" · ".join(facts))
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The chart, the youngest at the left."""
        members = self._page.members if self._page else ()
        if not members:
            return [Content.styled("Starts with the first trial that counts.", "$dim")]
        rewards = sorted(member.reward for member in members)
        low, high = chart.spread([rewards[len(rewards) // 12], rewards[-1]])  # the worst may lie below the window
        axes = chart.Axes(
            (0, max(1, self._page.size - 1 if self._page else 1)), (max(0.0, low), min(1.0, high)),
            y_text=lambda value: f"{100 * value:.4g}",
        )  # fmt: skip
        drawn = [(member.age, member.reward) for member in members if member.parent is None]
        born = [(member.age, member.reward) for member in members if member.parent is not None]
        series = [chart.Series(drawn, "$secondary", line=False), chart.Series(born, "bold $warning", line=False)]
        return chart.draw(width, height, axes, series)
