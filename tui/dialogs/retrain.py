"""Queue a retrain job."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, Label, Static

from nasd import protocol
from nasd.errors import NasdError
from tui import text
from tui.dialogs.dialog import Dialog
from tui.link import Link
from tui.work import work


class RetrainDialog(Dialog[protocol.JobRow]):
    """Which architecture, how often, for how many epochs, how urgent, how and where.

    Stays, with the daemon's own sentence in it, until the daemon has taken the job.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "queue", "queue", show=False, id="retrain.queue", tooltip="Queue the job"),
    ]

    def __init__(self, net: str, trial: int | None, link: Link, several: Sequence[protocol.TrialRow] = ()) -> None:
        super().__init__()
        self._net, self._trial, self._link = net, trial, link
        self._several = several if len(several) > 1 else ()

    def compose(self) -> ComposeResult:
        """The fields; Enter in any of them queues the job."""
        with Vertical(classes="window") as window:
            window.border_title = "Retrain" if self._trial is None else f"Retrain trial {self._trial}"
            if self._several:
                window.border_title = f"Retrain {len(self._several)} trials"
            if self._trial is None:
                yield Static("Evaluate an architecture with freshly drawn weights.", classes="hint")
                yield from self._field("architecture", "net", self._net, "[C(32,5,1,2,1), ..., SM(10)]")
            else:
                shown = ", ".join(str(row.number) for row in self._several) or self._net
                yield Static(text.clean(shown), markup=False)
            yield from self._field("repeats", "repeats", "1", "")
            yield from self._field("epochs", "epochs", "", "as in the run")
            yield from self._field("priority", "priority", "0", "higher runs first")
            yield from self._field("device", "device", "", "the search's, or one of its own, such as cuda:1")
            with Horizontal(classes="field"):
                yield Label("training")
                yield _Toggle("full: the encoder too, weights are kept", id="full", compact=True)
            yield Static("", classes="wrong", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel  esc", id="cancel", compact=True)
                yield Button("Queue  enter", id="queue", variant="primary", compact=True)

    def _field(self, label: str, id: str, value: str, placeholder: str) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label(label)
            kind = "text" if id in ("net", "device") else "integer"
            yield Input(value, placeholder, id=id, type=kind, compact=True)  # type: ignore[arg-type]

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "queue":
            self.action_queue()
        else:
            self.action_cancel()

    @on(Input.Submitted)
    def action_queue(self) -> None:
        """Queue it, or say what is wrong with it."""
        repeats, epochs = self._number("repeats", 1), self._number("epochs", None)
        net = self._text("net") if self._trial is None else None
        if self._trial is None and not net:
            self._complain("Name an architecture.")
        elif repeats is None or repeats < 1:
            self._complain("At least one repeat.")
        elif epochs is not None and epochs < 1:
            self._complain("At least one epoch; leave it empty for the run's number.")
        else:
            work(
                self,
                "queue",
                self._queue,
                protocol.QueueJobParams(
                    trial=None if self._several else self._trial,
                    selection=tuple(
                        protocol.Selected(net=row.net, trial=row.number, reward=row.reward) for row in self._several
                    ),
                    net=net,
                    repeats=repeats,
                    epochs=epochs,
                    priority=self._number("priority", 0) or 0,
                    device=self._text("device") or None,
                    full=self.query_one("#full", Checkbox).value,
                ),
            )

    async def _queue(self, params: protocol.QueueJobParams) -> None:
        try:
            job = await self._link.call("queue_job", params)
        except NasdError as error:
            self._complain(text.clean(str(error)))
        else:
            self.dismiss(job)

    def _number(self, id: str, empty: int | None) -> int | None:
        if not (value := self._text(id)):
            return empty
        return int(value) if value.lstrip("+-").isdigit() else -1

    def _text(self, id: str) -> str:
        return self.query_one(f"#{id}", Input).value.strip()

    def _complain(self, sentence: str) -> None:
        wrong = self.query_one(".wrong", Static)
        wrong.update(sentence)
        wrong.display = True


class _Toggle(Checkbox, inherit_bindings=False):
    """Tells on from off without colours, and leaves Enter to the dialog."""

    DEFAULT_CSS = "_Toggle { background: $surface; }"
    BUTTON_INNER = " "
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "toggle_button", "toggle", show=False)]

    def watch_value(self) -> None:
        """Mark it."""
        self.BUTTON_INNER = "X" if self.value else " "
        super().watch_value()
