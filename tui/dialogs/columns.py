"""Which columns the list of trials has."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from tui.dialogs.dialog import Dialog
from tui.panes import trial_columns


class Columns(Dialog[tuple[str, ...]]):
    """A list to tick; answers with the names of the columns that are to be shown."""

    DEFAULT_CSS = """
    Columns SelectionList { height: auto; max-height: 14; border: none; padding: 0; background: $surface; }
    Columns SelectionList:focus { border: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "show them", priority=True, id="columns.take", tooltip="Show these columns"),
        Binding(
            "d", "default", "as at first", id="columns.default", tooltip="Tick the columns that were there at first"
        ),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._list: SelectionList[str] = SelectionList(
            *(
                Selection(
                    Content.assemble(f"{choice.column.title:<10}", (choice.about, "$dim")),
                    choice.name,
                    choice.name in names,
                )
                for choice in trial_columns.CHOICES
            ),
            compact=True,
        )
        self._room = Static(classes="hint", markup=False)

    def compose(self) -> ComposeResult:
        """The list, and how much room the columns take."""
        with Vertical(classes="window") as window:
            window.border_title = "Columns"
            window.border_subtitle = "space ticks · d as at first · enter shows them · esc cancels"
            yield self._list
            yield self._room

    def on_mount(self) -> None:
        """The first is under the cursor."""
        self._list.focus()
        self._list.highlighted = 0
        self._count()

    def action_take(self) -> None:
        """Show them."""
        self.dismiss(self._names())

    def action_default(self) -> None:
        """As at first."""
        self._list.deselect_all()
        for name in trial_columns.DEFAULT:
            self._list.select(name)

    @on(SelectionList.SelectedChanged)
    def _count(self) -> None:
        used, width = trial_columns.width(self._names()), self.app.size.width
        left = f"the architecture has the other {width - used}"
        self._room.update(
            f"{used} of {width} cells: " + (left if used + 8 < width else "those at the right are left out here")
        )

    def _names(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(choice.name for choice in trial_columns.CHOICES if choice.name in self._list.selected)
