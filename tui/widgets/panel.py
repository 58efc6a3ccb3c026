"""A bordered box of text lines."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
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
        self._ready: tuple[Size, Content] | None = None  # made by `renew` for this size, and not drawn yet

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """What stands in the panel."""
        raise NotImplementedError

    def render(self) -> Content:
        """The lines as one text."""
        ready, self._ready = self._ready, None
        # The size may have changed since, before any message says so.
        self._drawn = ready[1] if ready and ready[0] == self.content_size else self._text()
        return self._drawn

    def renew(self) -> None:
        """Call when what the panel shows may have changed. Costs nothing where it did not (slow links)."""
        if self._drawn is None or not self.is_on_screen:
            self.refresh()
        elif not (text := self._text()).is_same(self._drawn):
            self._ready = self.content_size, text
            self.refresh()

    def _text(self) -> Content:
        width, height = self.content_size
        return Content("\n").join(list(self.lines(width, height))[:height]) if width and height else Content()
