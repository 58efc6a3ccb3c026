"""What to export."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.widgets import Button, Static

from tui.dialogs.dialog import Dialog
from tui.strategies.table import Export as Table

TRIALS = Table("replay_buffer", "b", "Replay buffer")
"""What every run can export."""


class Export(Dialog[str]):
    """A button for each table that the run can write; a letter presses it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,right", "app.focus_next", "other button", show=False, id="export.other"),
    ]

    def __init__(self, tables: Sequence[Table]) -> None:
        super().__init__()
        self._tables = (TRIALS, *tables)

    def compose(self) -> ComposeResult:
        """The buttons, the first one chosen."""
        with Vertical(classes="window") as window:
            window.border_title = "Export"
            yield Static("Write a CSV file into the run's exports folder.")
            with Horizontal(classes="buttons"):
                for number, table in enumerate(self._tables):
                    button = Button(f"{table.label}  {table.key}", id=table.what, compact=True)
                    button.variant = "default" if number else "primary"
                    yield button

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id)

    def on_key(self, event: Key) -> None:
        """A table's letter."""
        for table in self._tables:
            if event.key == table.key:
                event.stop()
                self.dismiss(table.what)
