"""Insight: what the search has learned about its space, from the rewards alone."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nasd import protocol
from nasd.errors import NasdError
from tui import text
from tui.link import Change, Link, Renewed
from tui.messages import ShowTrial
from tui.panes.insight_best import BestPart
from tui.panes.insight_front import FrontPart
from tui.panes.insight_part import InsightPart
from tui.panes.insight_stages import StagesPart
from tui.panes.insight_worth import WorthPart
from tui.panes.pane import Pane
from tui.work import work

AGAIN = 10.0
"""Seconds after which it is asked for anew, if there were trials since."""

SLICE = 0.3
"""Seconds between two questions while the daemon is still reading a long run."""


class Insight(Pane, can_focus=True):
    """Four parts; side by side where there is room, else the active one alone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "part(1)", "next part", id="insight.next", tooltip="Go to the next part"),
        Binding("shift+tab", "part(-1)", "last part", show=False, id="insight.last", tooltip="Go to the part before"),
        Binding("a", "axis", "axis", id="insight.axis", tooltip="The front against parameters, embedding or seconds"),
        Binding("enter", "open", "open trial", id="insight.open", tooltip="Open the trial under the cursor"),
        Binding("z", "zoom", "zoom", id="insight.zoom", tooltip="The active part alone, or all"),
        Binding("left,h", "move(-1, 0)", "left", show=False, id="insight.left", tooltip="The trial before"),
        Binding("right,l", "move(1, 0)", "right", show=False, id="insight.right", tooltip="The next trial"),
        Binding("up,k", "move(0, -1)", "up", show=False, id="insight.up", tooltip="Up; to the best before"),
        Binding("down,j", "move(0, 1)", "down", show=False, id="insight.down", tooltip="Down; to the next best"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._front = FrontPart()
        self._parts: tuple[InsightPart, ...] = (BestPart(), self._front, WorthPart(), StagesPart())
        self._active = 0
        self._since: float | None = 0.0  # seconds since it was asked for; None: there is nothing new
        self._loaded = False

    def compose(self) -> ComposeResult:
        """The parts; the style sheet arranges them for the size."""
        yield from self._parts

    def on_mount(self) -> None:
        """Trials are followed slowly."""
        self._activate(0)
        self.set_interval(1.0, self._tick)

    def enter(self) -> None:
        """Catch up."""
        self.focus()
        if self._since is not None:
            self._fetch()

    def hear(self, change: Change) -> None:
        """Trials change it, and another run does."""
        if isinstance(change, Renewed):
            self._fetch()
        elif isinstance(change, protocol.TrialFinished):
            self._since = self._since or 0.0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the front has axes; only where a trial is under the cursor it can be opened."""
        if action == "axis":
            return self._parts[self._active] is self._front
        if action == "zoom":
            return not self.app.screen_stack[0].has_class("-narrow")
        if action == "open":
            return isinstance(self._parts[self._active], BestPart | FrontPart)
        return super().check_action(action, parameters)

    def action_part(self, step: int) -> None:
        """Another part is active."""
        self._activate((self._active + step) % len(self._parts))

    def action_axis(self) -> None:
        """Another cost."""
        self._front.turn()

    def action_move(self, across: int, down: int) -> None:
        """The cursor of the active part."""
        self._parts[self._active].move(across, down)

    def action_zoom(self) -> None:
        """The active part alone, or all."""
        self.toggle_class("-zoomed")

    def action_open(self) -> None:
        """The trial under the cursor."""
        if (trial := self._parts[self._active].trial) is not None:
            self.post_message(ShowTrial(trial))

    def on_click(self, event: events.Click) -> None:
        """A click makes a part active."""
        for index, part in enumerate(self._parts):
            if part.region.contains(event.screen_x, event.screen_y):
                self._activate(index)

    def _activate(self, index: int) -> None:
        self._active = index
        for number, part in enumerate(self._parts):
            part.set_class(number == index, "-active")
        self._subtitles()
        if self.is_attached:
            self.refresh_bindings()

    def _subtitles(self) -> None:
        """Which of the parts it is, and how much of the run is read."""
        insight = self._parts[0].insight
        for number, part in enumerate(self._parts, 1):
            said = f"{number} of {len(self._parts)}"
            if insight is not None and insight.read < insight.of:
                said = f"{text.count(insight.read)} of {text.count(insight.of)} trials read · {said}"
            part.border_subtitle = Content(said)

    def _tick(self) -> None:
        if self._since is None or not self.display or not self._loaded:
            return
        self._since += 1.0
        if self._since >= AGAIN:
            self._fetch()

    def _fetch(self) -> None:
        self._since = None
        if self.display:
            work(self, "insight", self._fetching)

    async def _fetching(self) -> None:
        try:
            found: protocol.Insight = await self.link.call("insight", protocol.InsightParams())
        except NasdError as error:
            self._since = 0.0  # asked again when the screen is shown again, or at the next trial
            if not self._loaded:
                for part in self._parts:
                    part.border_subtitle = Content(text.shorten(text.clean(str(error)), 60))
            return
        self._loaded = True
        for part in self._parts:
            part.take(found)
        self._subtitles()
        if found.read < found.of and self.display:
            self.set_timer(SLICE, self._fetch)
