"""Trial: one architecture drawn node by node, and how it learned."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll

from nasd import protocol
from nasd.errors import NasdError
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain
from tui.panes.pane import Pane
from tui.panes.trial_drawing import Drawing
from tui.panes.trial_parts import Curves, Facts, Labels, Part
from tui.work import work


class Trial(Pane):
    """Panels over one trial; `left` and `right` leaf through the trials. A strategy may extend it by parts and keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "leaf(-1)", "previous", id="trial.previous", tooltip="The trial before this one"),
        Binding("right,l", "leaf(1)", "next", id="trial.next", tooltip="The trial after this one"),
        Binding("y,c", "copy", "copy", id="trial.copy", tooltip="Copy the architecture string"),
        Binding("r", "retrain", "retrain", id="trial.retrain", tooltip="Queue a retrain job of this architecture"),
        Binding(
            "d", "original", "original", id="trial.original", tooltip="Of a duplicate, the trial that was evaluated"
        ),
        Binding("b", "best", "best", show=False, id="trial.best", tooltip="The best trial so far"),
        Binding("backspace,escape", "back", "list", show=False, id="trial.back", tooltip="Back to all trials"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._number: int | None = None
        self.detail: protocol.TrialDetail | None = None
        self._facts = Facts(link)
        self._drawing = Drawing()
        self._curves = Curves()
        self._labels = Labels()
        self._more = tuple(self.more())

    def more(self) -> Sequence[Part]:
        """What a strategy shows below the rest."""
        return ()

    def compose(self) -> ComposeResult:
        """The style sheet puts the panels side by side or below one another."""
        with TrialScroll():
            yield self._facts
            with Container(id="trial-middle"):
                yield from (self._drawing, self._curves)
            yield self._labels
            yield from self._more

    def enter(self) -> None:
        """Without a choice, the best trial so far."""
        self.query_one(TrialScroll).focus()
        if self._number is None and (status := self.link.status) and (status.best or status.recent):
            self.show((status.best or status.recent)[0].number)
        elif self._number is None:
            self._renew("")

    def hear(self, change: Change) -> None:
        """Another snapshot may know more; a first trial may be there to be shown."""
        if isinstance(change, Renewed) and self._number is not None:
            self.show(self._number)
        elif self._number is None:
            self.enter()

    def show(self, number: int) -> None:
        """Another trial."""
        self._number = number
        work(self, "trial", self._fetch, number)

    def action_leaf(self, step: int) -> None:
        """The trial before or after."""
        last = self.link.status.progress.trials if self.link.status else 0
        if self._number is not None and 1 <= self._number + step <= last:
            self.show(self._number + step)

    def action_copy(self) -> None:
        """The architecture string."""
        if self.detail:
            self.post_message(CopyNet(self.detail.row.net))

    def action_retrain(self) -> None:
        """A job for this trial."""
        if self.detail:
            self.post_message(Retrain(self.detail.row.net, self.detail.row.number))

    def action_original(self) -> None:
        """The trial that this one repeats."""
        if self.detail and self.detail.row.duplicate_of is not None:
            self.show(self.detail.row.duplicate_of)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a duplicate has an original."""
        if action == "original":
            return self.detail is not None and self.detail.row.duplicate_of is not None
        return super().check_action(action, parameters)

    def action_best(self) -> None:
        """The best trial so far."""
        if (status := self.link.status) and status.best:
            self.show(status.best[0].number)

    def action_back(self) -> None:
        """All trials."""
        self.app.call_later(self.app.run_action, "go(1)")

    async def _fetch(self, number: int) -> None:
        try:
            self.detail = await self.link.call("trial", protocol.TrialParams(number=number))
            await self.fetch_more(self.detail)
        except NasdError as error:
            self._renew(str(error))
            return
        self._renew("")

    async def fetch_more(self, detail: protocol.TrialDetail) -> None:
        """Ask for what a strategy shows of this trial besides. Raises NasdError."""

    def _renew(self, failure: str) -> None:
        for panel in (self._facts, self._drawing, self._curves, self._labels, *self._more):
            panel.show(self.detail, failure)
        self.refresh_bindings()


class TrialScroll(VerticalScroll, inherit_bindings=False):
    """Scrolls up and down only: left and right leaf through the trials."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, id="trial.up", tooltip="One line up"),
        Binding("down,j", "scroll_down", "down", show=False, id="trial.down", tooltip="One line down"),
        Binding("pageup", "page_up", "page up", show=False, id="trial.pageup", tooltip="One screen up"),
        Binding("pagedown", "page_down", "page down", show=False, id="trial.pagedown", tooltip="One screen down"),
    ]
