"""A bordered box of text lines."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget


class Panel(Widget):
    """Draws `lines`, which a subclass computes for the space there is; repaints only if they changed."""

    DEFAULT_CSS = """
    Panel {
        border: round $border;
        border-title-color: $dim;
        border-subtitle-color: $dim;
        padding: 0 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self, title: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = Content(title)
        self._drawn: Content | None = None
        self._ready: Content | None = None  # made by `renew`, and not drawn yet

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """What stands in the panel."""
        raise NotImplementedError

    def render(self) -> Content:
        """The lines as one text."""
        self._drawn, self._ready = self._ready or self._text(), None
        return self._drawn

    def renew(self) -> None:
        """Call when what the panel shows may have changed. Costs nothing where it did not (slow links)."""
        if self._drawn is None or not self.is_on_screen:
            self.refresh()
        elif not (text := self._text()).is_same(self._drawn):
            self._ready = text
            self.refresh()

    def on_resize(self) -> None:
        """What was made was made for another size."""
        self._ready = None

    def _text(self) -> Content:
        width, height = self.content_size
        return Content("\n").join(list(self.lines(width, height))[:height]) if width and height else Content()
