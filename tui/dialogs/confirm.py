"""Ask once more."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tui.dialogs.dialog import Dialog


class Confirm(Dialog[bool]):
    """Yes or no; the answer is no unless yes is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="confirm.yes", tooltip="Do it"),
        Binding("n", "cancel", "no", id="confirm.no", tooltip="Leave everything as it is"),
        Binding("left,right", "app.focus_next", "other button", show=False, id="confirm.other"),
    ]

    def __init__(self, question: str, verb: str) -> None:
        super().__init__()
        self._question, self._verb = question, verb

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical(classes="window") as window:
            window.border_title = self._verb
            yield Static(self._question, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("No  n", id="no", compact=True)
                yield Button(f"{self._verb}  y", id="yes", variant="error", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)
