"""Which columns the list of trials has."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.dialogs.dialog import Dialog
from tui.panes.trial_columns import CHOICES, DEFAULT, Choice, width


class Columns(Dialog[tuple[str, ...]]):
    """A list to tick; answers with the names of the columns that are to be shown."""

    DEFAULT_CSS = """
    Columns OptionList { height: auto; max-height: 14; border: none; padding: 0; background: $surface; }
    Columns OptionList:focus { border: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "tick", id="columns.tick", tooltip="Show the column, or leave it out"),
        Binding("a", "all", "all", id="columns.all", tooltip="Tick all columns"),
        Binding("d", "default", "default", id="columns.default", tooltip="Tick the columns that were there at first"),
        Binding("enter", "take", "show them", priority=True, id="columns.take", tooltip="Show these columns"),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._ticked = set(names)
        self._list = OptionList(*map(self._line, CHOICES), compact=True)
        self._room = Static(classes="hint", markup=False)

    def compose(self) -> ComposeResult:
        """The list, and how much room the columns take."""
        with Vertical(classes="window") as window:
            window.border_title = "Columns"
            window.border_subtitle = "space ticks · a all · d default · enter takes · esc"
            yield self._list
            yield self._room

    def on_mount(self) -> None:
        """The first is under the cursor."""
        self._list.focus()
        self._list.highlighted = 0
        self._show()

    def action_tick(self) -> None:
        """Show the column under the cursor, or leave it out."""
        if (index := self._list.highlighted) is not None:
            self._ticked ^= {CHOICES[index].name}
            self._show()

    def action_all(self) -> None:
        """All columns."""
        self._ticked = {choice.name for choice in CHOICES}
        self._show()

    def action_default(self) -> None:
        """As at first."""
        self._ticked = set(DEFAULT)
        self._show()

    def action_take(self) -> None:
        """Show them."""
        self.dismiss(self._names())

    def _show(self) -> None:
        for index, choice in enumerate(CHOICES):
            self._list.replace_option_prompt_at_index(index, self._line(choice))
        used, room = width(self._names()), self.app.size.width
        fits = f"the architecture has the other {room - used}"
        self._room.update(
            f"{used} of {room} cells: " + (fits if used + 8 < room else "those at the right are left out here")
        )

    def _line(self, choice: Choice) -> Content:
        tick = ("✓ ", "$success") if choice.name in self._ticked else ("· ", "$dim")
        return Content.assemble(tick, f"{choice.column.title:<10}", (choice.about, "$dim"))

    def _names(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(choice.name for choice in CHOICES if choice.name in self._ticked)
