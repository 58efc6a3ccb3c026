"""The strip with the names of the screens."""

from collections.abc import Mapping

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Tabs(Widget):
    """One line; the present screen is highlighted, a click goes to another."""

    DEFAULT_CSS = """
    Tabs { height: 1; background: $surface; color: $dim; text-wrap: nowrap; text-overflow: clip; }
    """

    current = reactive(0)
    names: reactive[Mapping[int, str]] = reactive(dict)
    """By number of the screen, from 0; a number may be missing."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self.set_reactive(Tabs.names, names)

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def render(self) -> Content:
        """Names, with the present one as a filled tab."""
        parts = []
        for index, name in self._texts():
            here = index == self.current
            parts.append(Content.styled(name, "bold $background on $primary" if here else ""))
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Which name is under the mouse."""
        start = 0
        for index, name in self._texts():
            if start <= event.x < start + len(name):
                self.post_message(self.Chosen(index))
            start += len(name)

    def _texts(self) -> list[tuple[int, str]]:
        """In the widest form that fits: with air around the names, without, and at last only the present one's name."""
        for form in (" {} {} ", " {} {}"):
            texts = [(index, form.format(index + 1, name)) for index, name in self.names.items()]
            if sum(len(text) for _, text in texts) <= self.size.width:
                return texts
        return [
            (index, f" {index + 1} {name}" if index == self.current else f" {index + 1}")
            for index, name in self.names.items()
        ]
