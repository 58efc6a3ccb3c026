"""Queue a retrain job."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from nasd import protocol
from tui import text
from tui.dialogs.dialog import Dialog


class RetrainDialog(Dialog[protocol.QueueJobParams]):
    """Which architecture, how often, for how many epochs, how urgent."""

    def __init__(self, net: str, trial: int | None) -> None:
        super().__init__()
        self._net, self._trial = net, trial

    def compose(self) -> ComposeResult:
        """The fields; Enter in any of them queues the job."""
        with Vertical(classes="window") as window:
            window.border_title = "Retrain" if self._trial is None else f"Retrain trial {self._trial}"
            if self._trial is None:
                yield Static("Evaluate an architecture with freshly drawn weights.", classes="hint")
                yield from self._field("architecture", "net", self._net, "[C(32,5,1,2,1), ..., SM(10)]")
            else:
                yield Static(text.clean(self._net), markup=False)
            yield from self._field("repeats", "repeats", "1", "")
            yield from self._field("epochs", "epochs", "", "as in the run")
            yield from self._field("priority", "priority", "0", "higher runs first")
            yield Static("", classes="wrong", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel  esc", id="cancel", compact=True)
                yield Button("Queue  enter", id="queue", variant="primary", compact=True)

    def _field(self, label: str, id: str, value: str, placeholder: str) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label(label)
            kind = "text" if id == "net" else "integer"
            yield Input(value, placeholder, id=id, type=kind, compact=True)  # type: ignore[arg-type]

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "queue":
            self._queue()
        else:
            self.action_cancel()

    @on(Input.Submitted)
    def _queue(self) -> None:
        repeats, epochs = self._number("repeats", 1), self._number("epochs", None)
        net = self.query_one("#net", Input).value.strip() if self._trial is None else None
        if self._trial is None and not net:
            self._complain("Name an architecture.")
        elif repeats is None or repeats < 1:
            self._complain("At least one repeat.")
        elif epochs is not None and epochs < 1:
            self._complain("At least one epoch; leave it empty for the run's number.")
        else:
            self.dismiss(
                protocol.QueueJobParams(
                    trial=self._trial,
                    net=net,
                    repeats=repeats,
                    epochs=epochs,
                    priority=self._number("priority", 0) or 0,
                )
            )

    def _number(self, id: str, empty: int | None) -> int | None:
        value = self.query_one(f"#{id}", Input).value.strip()
        if not value:
            return empty
        return int(value) if value.lstrip("+-").isdigit() else -1

    def _complain(self, sentence: str) -> None:
        wrong = self.query_one(".wrong", Static)
        wrong.update(sentence)
        wrong.display = True
