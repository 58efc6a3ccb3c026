"""Epochs: where the controller of a supernet stands, how its choices fared, and every epoch."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from nasd import protocol
from nasd.protocol import enas
from nasd.protocol.enas import Choices, ChoicesParams, Epoch, EpochsParams, Standing
from tui import text
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, ShowTrial
from tui.panes.pane import StrategyPane
from tui.strategies.enas.panels import Curves, Front, Units
from tui.widgets.table import Cell, Column, PagedTable

COLUMNS = (
    Column("epoch", 6, "right"),
    Column("accuracy %", 11, "right"),
    Column("reward", 8, "right", least=70),
    Column("entropy", 8, "right", least=90),
    Column("size", 9, "right"),
    Column("latency", 8, "right", least=100),
    Column("changed", 8, "right", least=80),
    Column("", 2),
    Column("derived architecture", 0),
)


class Epochs(StrategyPane):
    """The controller's choices, the curves and the Pareto front above; every epoch below, the newest first."""

    DEFAULT_CSS = """
    Epochs Horizontal { height: 3fr; }
    Epochs PagedTable { height: 2fr; }
    Epochs Vertical { width: 1fr; }
    Epochs Units { width: 1fr; height: 1fr; }
    Epochs Curves, Epochs Front { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,c", "copy", "copy", id="epochs.copy", tooltip="Copy the derived architecture"),
        Binding("r", "retrain", "retrain", id="epochs.retrain", tooltip="Train the derived architecture from scratch"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._units, self._curves, self._front = Units(), Curves(), Front()
        self._table: PagedTable[Epoch] = PagedTable(
            COLUMNS, self._cells, lambda epoch: epoch.trial, self._fetch,
            "The first epoch is under way.\nWhat the controller would choose is shown when it ends.",
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """The panels, then the epochs."""
        with Horizontal():
            yield self._units
            with Vertical():
                yield self._curves
                yield self._front
        yield self._table

    def enter(self) -> None:
        """Catch up."""
        self._table.focus()
        self._table.renew()

    def hear(self, change: Change) -> None:
        """An epoch came to its end, or got on."""
        if isinstance(change, Renewed | protocol.TrialFinished):
            self._table.renew()
        elif isinstance(change, protocol.WorkerChanged) and change.worker.trial is not None:
            self._follow()

    def _follow(self) -> None:
        """Show where the controller stands in the epoch under way, if a worker said so already."""
        for worker in self.link.status.workers if self.link.status else ():
            if worker.trial is not None and "units" in worker.facts:
                self._units.follow(
                    msgspec.convert(worker.facts, Standing),
                    f"trial {worker.trial}, {worker.epoch}/{worker.epochs} steps",
                )

    def action_copy(self) -> None:
        """The derived architecture of this epoch."""
        if epoch := self._table.row:
            self.post_message(CopyNet(epoch.net))

    def action_retrain(self) -> None:
        """A job that trains it from scratch."""
        if epoch := self._table.row:
            self.post_message(Retrain(epoch.net, epoch.trial))

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        self.post_message(ShowTrial(message.row.trial))

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[Epoch]]:
        page: enas.Epochs = await self.link.call("enas.epochs", EpochsParams())  # all that the curves can show
        choices: Choices = await self.link.call("enas.choices", ChoicesParams())
        self._units.show(choices)
        self._follow()
        self._curves.show(page)
        self._front.show(page)
        if offset + limit > len(page.epochs) < page.total:
            rows: enas.Epochs = await self.link.call("enas.epochs", EpochsParams(offset=offset, limit=limit))
            return rows.total, rows.epochs
        return page.total, page.epochs[offset : offset + limit]

    def _cells(self, epoch: Epoch) -> Sequence[Cell]:
        return (
            (str(epoch.epoch), "dim"),
            (text.percent(epoch.accuracy), "success" if epoch.in_front else ""),
            (text.percent(epoch.mean_reward), ""),
            (f"{epoch.entropy:.3f}", ""),
            (text.size(epoch.bytes), ""),
            (f"{epoch.latency:.4g}", ""),
            (str(epoch.changed) if epoch.changed else "–", "warning" if epoch.changed else "dim"),
            ("●" if epoch.kept else "", "primary"),
            (text.clean(epoch.net), ""),
        )
