"""What to export."""

from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tui.dialogs.dialog import Dialog

What = Literal["replay_buffer", "q_values"]


class Export(Dialog[What]):
    """The replay buffer or the Q-values, as CSV in the published columns."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "choose('replay_buffer')", "replay buffer", id="export.buffer", tooltip="All trials as CSV"),
        Binding("v", "choose('q_values')", "Q-values", id="export.values", tooltip="The Q-table as CSV"),
        Binding("left,right", "app.focus_next", "other button", show=False, id="export.other"),
    ]

    def compose(self) -> ComposeResult:
        """Two buttons."""
        with Vertical(classes="window") as window:
            window.border_title = "Export"
            yield Static("Write CSV files in the published columns into the run's exports folder.")
            with Horizontal(classes="buttons"):
                yield Button("Replay buffer  b", id="replay_buffer", variant="primary", compact=True)
                yield Button("Q-values  v", id="q_values", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_choose("q_values" if event.button.id == "q_values" else "replay_buffer")

    def action_choose(self, what: What) -> None:
        """This one."""
        self.dismiss(what)
