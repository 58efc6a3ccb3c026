"""What all screens have in common."""

from typing import Any

from textual.containers import Container

from tui.link import Change, Link


class Pane(Container):
    """One screen. Only the one that is shown hears changes; the others catch up when they are shown."""

    DEFAULT_CSS = """
    Pane { height: 1fr; width: 1fr; background: $background; }
    """

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(id=id)
        self.link = link

    def enter(self) -> None:
        """The screen is shown (again): focus what the keys act on, and catch up."""

    def hear(self, change: Change) -> None:
        """The link has news, while the screen is shown."""


class StrategyPane(Pane):
    """The screen that only one strategy has."""

    def go(self, place: Any) -> None:
        """Show a place in it, as another screen of the same strategy names it."""
