"""What all dialogs have in common."""

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A window in the middle of the dimmed screen; Esc leaves without an answer."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .window {
        width: 64; max-width: 95%; height: auto; max-height: 95%;
        border: round $primary; border-title-color: $primary; padding: 0 1; background: $surface;
    }
    Dialog .field { height: auto; margin: 1 0 0 0; }
    Dialog .field Label { width: 12; color: $dim; }
    Dialog .field Input { width: 1fr; background: $panel; }
    Dialog .buttons { height: 1; margin: 1 0 0 0; align-horizontal: right; }
    Dialog Button { margin: 0 0 0 2; min-width: 12; }
    Dialog .wrong { color: $error; height: auto; display: none; margin: 1 0 0 0; }
    Dialog .hint { color: $dim; height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", tooltip="Close without doing anything"),
    ]

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
