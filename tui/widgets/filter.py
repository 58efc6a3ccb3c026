"""The line behind `/`: a filter with completion, a hint, and a term that is none underlined; the same in all lists."""

import re

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantBlur, DescendantFocus
from textual.message import Message
from textual.suggester import Suggester
from textual.timer import Timer
from textual.widgets import Input, Static

from nasd import filters
from tui import text

WRONG = "✗ "
TYPING = 0.15
"""Seconds without a key before what was typed is looked for."""

_NAME = re.compile(r"^!?(\w+)[<>=:!]")


class FilterLine(Vertical):
    """What is typed here is asked for while one types; a filter that is none is not, and what is listed stays."""

    DEFAULT_CSS = """
    FilterLine { height: auto; background: $surface; }
    FilterLine.-away { display: none; }
    FilterLine > Horizontal { height: 1; }
    FilterLine Input { width: 1fr; background: $surface; padding: 0 1; }
    FilterLine Input:focus { background: $panel; }
    FilterLine .beside { width: auto; height: 1; color: $dim; text-align: right; padding: 0 1; }
    FilterLine .said {
        height: 1; display: none; padding: 0 1; color: $dim; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    class Asked(Message):
        """`where` is another filter."""

    class Left(Message):
        """Enter: back to the list."""

    def __init__(
        self, fields: filters.Fields, searched: str, placeholder: str, id: str, *, lasting: bool = True
    ) -> None:
        """Create a line.

        Args:
            fields: What can be asked of the rows.
            searched: Where a text without a field is looked for, in words.
            placeholder: Shown while nothing is typed.
            id: The widget's id; those inside begin with it.
            lasting: Shown also while nothing is typed.
        """
        super().__init__(id=f"{id}-filter", classes="" if lasting else "-away")
        self.where = ""  # the newest filter that could be read
        self._fields, self._searched, self._lasting = fields, searched, lasting
        self._input = Input(placeholder=placeholder, compact=True, suggester=_Completion(fields), id=f"{id}-text")
        self._beside = Static(classes="beside", id=f"{id}-beside")
        self._said = Static(classes="said", id=f"{id}-hint")
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        """The line and what stands beside it, then the hint."""
        with Horizontal():
            yield self._input
            yield self._beside
        yield self._said

    @property
    def text(self) -> str:
        """As it is typed."""
        return self._input.value

    def type(self) -> None:
        """Type a filter."""
        self.remove_class("-away")
        self.screen.set_focus(self._input)  # at once: `focus()` would let keys that wait be taken for commands

    def put(self, where: str) -> None:
        """Ask for a filter, at once."""
        self.set_class(not (where or self._lasting), "-away")
        with self.prevent(Input.Changed):
            self._input.value = where
        self._hint()
        self._ask()

    def beside(self, content: Content) -> None:
        """Say something at the right, such as how many rows match."""
        self._beside.update(content)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._hint()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING, self._ask)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._ask()
        self.post_message(self.Left())

    @on(DescendantFocus)
    @on(DescendantBlur)
    def _turned(self) -> None:
        self.set_class(not (self.text or self._lasting or self._input.has_focus), "-away")
        self._hint()

    def _ask(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None
        where = self.text.strip()
        try:
            filters.parse(where, self._fields)
        except filters.FilterError:
            return  # the hint says what is wrong
        self.where = where
        self.post_message(self.Asked())

    def _hint(self) -> None:
        """While one types; what is wrong stays, since it was not asked for."""
        said = hint(self.text, self._fields, self._searched)
        self._said.display = bool(self.text.strip()) and (self._input.has_focus or said.plain.startswith(WRONG))
        self._said.update(said)


def hint(typed: str, fields: filters.Fields, searched: str) -> Content:
    """What the last word may be, or which term is none, underlined, and what was expected instead."""
    try:
        filters.parse(typed, fields)
    except filters.FilterError as error:
        wrong = (text.clean(typed[error.start : error.end]), "underline $error")
        return Content.assemble((WRONG, "$error"), wrong, f" expected {error.expected}")
    word = typed.rsplit(maxsplit=1)[-1].lstrip("!") if typed.split() and not typed.endswith(" ") else ""
    if (match := _NAME.match(word)) is not None and match[1] in fields:
        return Content(f"{match[1]}: {fields[match[1]][1]}")
    fitting = [field for field in fields if field.startswith(word)]
    return Content("fields " + " ".join(fitting) if fitting else f"looked for in {searched}")


class _Completion(Suggester):
    """The rest of a field's name or of a value, taken with the right arrow."""

    def __init__(self, fields: filters.Fields) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._fields = fields

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its last word completed."""
        completed = filters.complete(value, self._fields)
        return completed if completed != value else None
