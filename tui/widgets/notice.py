"""A line or two under the header for what needs a person: a broken connection, problems of the run."""

from textual.content import Content
from textual.widget import Widget

from tui import text
from tui.link import Link


class Notice(Widget):
    """Takes no room while all is well."""

    DEFAULT_CSS = """
    Notice { height: auto; max-height: 4; display: none; padding: 0 1; background: $error 18%; color: $foreground; }
    Notice.-waiting { background: $warning 18%; }
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def renew(self) -> None:
        """Show what the link and the run have to say."""
        self.display = bool(self._sentences())
        self.set_class(self._link.condition == "lost", "-waiting")
        self.refresh(layout=True)

    def render(self) -> Content:
        """One sentence a line."""
        return Content("\n").join(
            Content.assemble(("▲ ", "bold $warning" if self._link.condition == "lost" else "bold $error"), sentence)
            for sentence in self._sentences()
        )

    def _sentences(self) -> list[str]:
        link = self._link
        found = []
        if link.condition == "refused":
            found.append(text.clean(link.sentence))
        elif link.condition == "lost":
            found.append(f"{text.clean(link.sentence)}. Trying again; nothing on the screen is newer than its age.")
        if link.status is not None:
            found += [text.clean(problem) for problem in link.status.problems]
        return found
