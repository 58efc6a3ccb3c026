"""What all screens have in common."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from tui.link import Change, Link
from tui.widgets.filter import FilterLine


class Pane(Container):
    """One screen. Only the one that is shown hears changes; the others catch up when they are shown."""

    DEFAULT_CSS = """
    Pane { height: 1fr; width: 1fr; background: $background; }
    """

    OF_DAEMON: ClassVar[frozenset[str]] = frozenset({"retrain"})
    """Actions that only a daemon can do; not offered while none answers."""

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(id=id)
        self.link = link

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What a daemon has to do is offered while one is there."""
        return action not in self.OF_DAEMON or self.link.serving

    def enter(self) -> None:
        """The screen is shown (again): focus what the keys act on, and catch up."""

    def hear(self, change: Change) -> None:
        """The link has news, while the screen is shown. Drawing waits for `draw`."""

    def keep(self, news: Sequence[Change]) -> None:
        """The link has news, whether the screen is shown or not: keep what nobody can be asked for later."""

    def draw(self) -> None:
        """All that was heard by now is to be drawn; at most ten times a second."""


class ListPane(Pane):
    """A screen with a list and the filter line above it; it asks anew at `FilterLine.Asked`."""

    # With priority, so that it is done before the next key is looked at: what is typed behind it is text.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "filter",
            "filter",
            key_display="/",
            id="list.filter",
            tooltip="List only what matches",
            priority=True,
        ),
        Binding("escape", "clear", "clear filter", show=False, id="list.clear", tooltip="List all again"),
    ]

    line: FilterLine
    listed: Widget

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a text `/` is a letter."""
        if action == "filter" and isinstance(self.app.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Type a filter."""
        self.line.type()

    def action_clear(self) -> None:
        """List all again; from the filter line back to the list."""
        if self.line.text:
            self.line.put("")
        self.listed.focus()

    @on(FilterLine.Left)
    def _back(self) -> None:
        self.listed.focus()


class StrategyPane(Pane):
    """The screen that only one strategy has."""

    def go(self, place: Any) -> None:
        """Show a place in it, as another screen of the same strategy names it."""
