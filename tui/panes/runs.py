"""Runs: every run on this box, live; Enter opens one, whether a daemon runs it or not."""

import time
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nasd import protocol
from nasd.client import Target
from nasd.client.starting import start
from nasd.errors import NasdError
from tui import text
from tui.box import Box, tell
from tui.link import Link
from tui.messages import AttachRun
from tui.panes.pane import ListPane
from tui.widgets.filter import FilterLine
from tui.widgets.table import Cell, Column, PagedTable
from tui.work import work

AGAIN = 2.0
"""Seconds between two looks at the runs, while they are shown."""

COLUMNS = (
    Column("", 1),
    Column("run", 20),
    Column("state", 12),
    Column("counted", 15, "right"),
    Column("best %", 7, "right"),
    Column("ETA", 11, "right"),
    Column("a hour", 7, "right", least=90),
    Column("changed", 12, "right", least=100),
    Column("problems, directory", 0, least=110),
)

STATES = {
    "running": ("●", "success"),
    "paused": ("‖", "warning"),
    "finished": ("✓", "primary"),
    "stopped": ("■", "dim"),
    "unreadable": ("✗", "error"),
}


EMPTY = "There is no run on this box.\n`nasd start CONFIG` begins one."


class Runs(ListPane):
    """The list; the run one is attached to is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause_run", "pause", id="runs.pause", tooltip="Pause or resume the run under the cursor"),
        Binding("X", "stop_run", "start, stop", id="runs.stop", tooltip="Start its daemon, or stop it; asks once more"),
        Binding("u", "again", "look again", show=False, id="runs.again", tooltip="Ask for the list anew"),
    ]

    def __init__(self, link: Link, id: str, box: Box) -> None:
        super().__init__(link, id)
        self._box = box
        self.line = FilterLine(
            protocol.RUN_LISTING.fields,
            protocol.RUN_LISTING.searched,
            "state:running best>0.9",
            id="runs",
            lasting=False,
        )
        self.listed: PagedTable[protocol.RunRow] = PagedTable(
            COLUMNS, self._cells, lambda run: run.directory, self._fetch,
            EMPTY,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """The list."""
        yield self.line
        yield self.listed

    def on_mount(self) -> None:
        """Runs change by themselves."""
        self.set_interval(AGAIN, self._look)

    def enter(self) -> None:
        """Ask anew."""
        self.listed.focus()
        self.listed.renew()

    def action_again(self) -> None:
        """Ask anew."""
        self.listed.renew()

    def action_pause_run(self) -> None:
        """Pause it, or let it go on."""
        if (run := self.listed.row) is None:
            return
        if not run.served:
            self.notify(f"No daemon runs {text.clean(run.name)}: there is nothing to pause.", markup=False)
            return
        work(self, "runs", self._doing, run, "resume" if run.state == "paused" else "pause")

    def action_stop_run(self) -> None:
        """Asked once more."""
        from tui.dialogs.confirm import Confirm  # noqa: PLC0415

        if (run := self.listed.row) is None:
            return
        name, method = text.clean(run.name), "stop" if run.served else "start"
        verb = method.capitalize()
        question = f"{verb} the daemon of {name}?"
        question += " Nothing finished is lost; the trial under way starts anew next time." if run.served else ""

        def chosen(yes: bool | None) -> None:
            if yes:
                work(self, "runs", self._doing, run, method)

        self.app.push_screen(Confirm(question, verb), chosen)

    @on(FilterLine.Asked)
    def _asked(self) -> None:
        self.listed.empty = "No run matches.\nEsc lists all again." if self.line.where else EMPTY
        self.listed.restart()

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        run: protocol.RunRow = message.row
        if self._here(run):
            self.notify("This is the run you are attached to.", timeout=3)
        else:
            self.post_message(AttachRun(run.directory, run.name))

    def _look(self) -> None:
        if self.display:
            self.listed.renew()

    def _target(self, run: protocol.RunRow) -> Target:
        return self.link.target.sibling(run.directory)

    async def _doing(self, run: protocol.RunRow, method: str) -> None:
        try:
            if method == "start":
                self.notify(f"starting {text.clean(run.name)}", markup=False, timeout=60)
                await start(self._target(run))
                said = "the daemon runs"
            else:
                said = await tell(self._target(run), method)
        except NasdError as error:
            self.notify(text.clean(str(error)), severity="error", markup=False, timeout=8)
        else:
            self.notify(f"{text.clean(run.name)}: {text.clean(said)}", markup=False)
        self.listed.renew()

    def _here(self, run: protocol.RunRow) -> bool:
        return self.link.status is not None and self.link.status.directory == run.directory

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[protocol.RunRow]]:
        runs = await self._box.runs(self.link.target)
        rows = tuple(filter(protocol.RUN_LISTING.matching(self.line.where), runs.rows))
        return len(rows), rows[offset : offset + limit]

    def _cells(self, run: protocol.RunRow) -> Sequence[Cell]:
        glyph, colour = STATES[run.state]
        problems = text.clean("; ".join(run.problems))
        return (
            ("▶" if self._here(run) else " ", "primary"),
            (text.clean(run.name), "strong" if self._here(run) else ""),
            (f"{glyph} {run.state}", colour),
            (text.count(run.counted) + (f"/{text.count(run.total)}" if run.total is not None else ""), ""),
            (text.percent(run.best_reward), "strong"),
            (text.duration(run.eta_seconds) if run.eta_seconds else "–", ""),
            (f"{run.pace:,.0f}" if run.pace else "–", "dim"),
            (_ago(run.modified_at, self.link.now or time.time()), "dim"),
            (f"▲ {problems}" if problems else text.clean(run.directory), "error" if problems else "dim"),
        )


def _ago(moment: float, now: float) -> str:
    return text.duration(max(0.0, round(now - moment))) if moment else "–"
