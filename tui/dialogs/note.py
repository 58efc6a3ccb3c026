"""A note on a trial."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from nasd import protocol
from tui import text
from tui.dialogs.dialog import Dialog


class Note(Dialog[str]):
    """One line; an empty one takes the note away."""

    def __init__(self, row: protocol.TrialRow) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        """The architecture and the line."""
        with Vertical(classes="window") as window:
            window.border_title = f"Note on trial {self._row.number}"
            window.border_subtitle = "enter keeps it in the run · esc cancels"
            yield Static(text.clean(self._row.net), markup=False, classes="hint")
            yield Input(self._row.note, placeholder="what is to be looked at again, and why", compact=True, id="note")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
