"""Overview: the whole search on one screen."""

import contextlib
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nasd import protocol
from nasd.errors import NasdError
from tui.link import Change, Link, Renewed
from tui.messages import ShowTrial
from tui.panes.overview_machine import MachinePanel
from tui.panes.overview_now import Now
from tui.panes.overview_rewards import RewardPlot
from tui.panes.overview_stages import ProgressPanel, Stages
from tui.panes.overview_trials import Best, Recent
from tui.panes.pane import Pane
from tui.work import work

TICK = 1.0
"""Seconds between two looks at whether the plot is behind."""

ROOMY = 16
"""Lines from which the machine's panel shows more than the present."""

REFETCH = 10.0
"""Seconds after which the rolling rewards and the stages are asked for anew, if there were trials since."""


class Overview(Pane, can_focus=True):
    """Asks for the rewards and hands them, and what the link knows, to its panels."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,b", "open_best", "best trial", id="overview.best", tooltip="Open the best trial so far"),
        Binding("m", "machine", "machine", id="overview.machine", tooltip="The last day of the box and its devices"),
        Binding("n", "open_newest", "newest trial", id="overview.newest", tooltip="Open the newest trial"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._plot = RewardPlot(link)
        self._stages = Stages(link)
        self._progress = ProgressPanel(link)
        self._machine = MachinePanel(link)
        self._panels = (self._progress, Now(link), Best(link), Recent(link), self._machine)
        self._since: float | None = None  # seconds since the rewards were asked for; None: there is nothing new

    def compose(self) -> ComposeResult:
        """Panels; the style sheet arranges them for the size."""
        progress, now, best, recent, machine = self._panels
        yield from (progress, self._plot, now, best, self._stages, machine, recent)

    def on_mount(self) -> None:
        """The plot follows the trials more slowly than the rest."""
        self.set_interval(TICK, self._tick)

    def enter(self) -> None:
        """Catch up."""
        self.focus()
        self._plot.renew()
        self._renew()
        self._fetch()

    def hear(self, change: Change) -> None:
        """Redraw what the change can have changed."""
        if isinstance(change, Renewed):
            self._fetch()
        elif isinstance(change, protocol.TrialFinished):
            self._since = self._since or 0.0

    def keep(self, news: Sequence[Change]) -> None:
        """The rewards of trials that finish: after the daemon is gone nobody can be asked for them."""
        for change in news:
            if isinstance(change, protocol.TrialFinished):
                self._plot.add(change)

    def draw(self) -> None:
        """The panels that read differently."""
        self._renew()

    def action_open_best(self) -> None:
        """The best trial so far."""
        if (status := self.link.status) and status.best:
            self.post_message(ShowTrial(status.best[0].number))

    def action_machine(self) -> None:
        """The last day, over the whole screen."""
        from tui.dialogs.machine import MachineScreen  # noqa: PLC0415

        self.app.push_screen(MachineScreen(self.link))

    def action_open_newest(self) -> None:
        """The newest trial."""
        if (status := self.link.status) and status.recent:
            self.post_message(ShowTrial(status.recent[0].number))

    def _renew(self) -> None:
        for panel in (*self._panels, self._stages):
            panel.renew()

    def _tick(self) -> None:
        if self._since is None or not self.display:
            return
        self._plot.renew()
        self._since += TICK
        if self._since >= REFETCH:
            self._fetch()

    def _fetch(self) -> None:
        self._since = None
        work(self, "rewards", self._fetching)

    async def _fetching(self) -> None:
        try:
            rewards = await self.link.call("rewards", protocol.RewardsParams(points=500))
        except NasdError:
            self._plot.renew()  # the header says what is wrong, and a new snapshot asks again
            return
        self._plot.show(rewards)
        self._progress.show(rewards.stages)
        self._stages.show(rewards.stages)
        if self._machine.size.height > ROOMY:
            with contextlib.suppress(NasdError):  # an older daemon
                self._machine.show(await self.link.call("machine", protocol.MachineParams()))
