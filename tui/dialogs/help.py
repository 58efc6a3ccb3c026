"""The keys of the screen one is on."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui import theme
from tui.dialogs.dialog import Dialog


class Help(Dialog[None]):
    """Keys with what they do: those of the screen, then those that work everywhere; then the marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q,enter", "cancel", "close", show=False, id="help.close", tooltip="Close the help"),
    ]

    def __init__(self, screen: str, active: Sequence[ActiveBinding]) -> None:
        super().__init__()
        self._screen, self._active = screen, active

    def compose(self) -> ComposeResult:
        """Two lists."""
        with VerticalScroll(classes="window") as window:
            window.border_title = f"Keys of {self._screen}"
            window.border_subtitle = "esc closes"
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        known = [one for one in self._active if one.binding.tooltip and one.binding.id]
        here = [one.binding for one in known if one.node is not self.app]
        here.sort(key=lambda binding: not binding.show)  # moving about comes last
        everywhere = [one.binding for one in known if one.node is self.app and ".go" not in f".{one.binding.id}"]
        found = [*self._rows(here), Content(), Content.styled("everywhere", "$dim")]
        found.append(
            Content.assemble((f"{'1 to 9 [ ]':>12}  ", "bold $primary"), "Show a screen; the previous, the next")
        )
        found += self._rows(everywhere)
        found += [Content(), Content.styled("marks of trials", "$dim")]
        marks = [*theme.MARKS.values(), theme.IMPORTED]
        found.append(
            Content("  ").join(
                Content.assemble((f"{glyph} ", colour), name) for glyph, name, colour in marks if glyph.strip()
            )
        )
        return found

    def _rows(self, bindings: Sequence[Binding]) -> list[Content]:
        keys: dict[str, tuple[str, list[str]]] = {}
        for binding in bindings:
            keys.setdefault(binding.id or binding.action, (binding.tooltip, []))[1].append(
                self.app.get_key_display(binding)
            )
        return [_row(" ".join(names), tooltip) for tooltip, names in keys.values()]


def _row(keys: str, what: str) -> Content:
    return Content.assemble((f"{keys:>12}  ", "bold $primary"), what)
