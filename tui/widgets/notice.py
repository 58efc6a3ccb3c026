"""A line or two under the header for what needs a person: a broken connection, problems of the run."""

from textual.content import Content
from textual.widget import Widget

from nasd.failing import failing
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
        self._shown: tuple[bool, list[str]] | None = None

    def renew(self) -> None:
        """Show what the link and the run have to say, if it is something else than before."""
        now = (self._waits, self._sentences())
        if now != self._shown:
            self._shown = now
            self.display = bool(now[1])
            self.set_class(now[0], "-waiting")
            self.refresh(layout=True)

    def render(self) -> Content:
        """One sentence a line."""
        return Content("\n").join(
            Content.assemble(("▲ ", "bold $warning" if self._waits else "bold $error"), sentence)
            for sentence in self._sentences()
        )

    @property
    def _waits(self) -> bool:
        """Nothing is broken: there only is no daemon."""
        link = self._link
        return link.condition == "lost" or (link.condition == "live" and link.status is not None and not link.serving)

    @property
    def _start(self) -> str:
        target = self._link.target
        run = target.run if target.host else target.directory.name if target.directory else ""
        host = f" on {text.clean(target.host)}" if target.host else ""
        return f"X, or `nasd start {text.clean(run)}`{host},"

    def _sentences(self) -> list[str]:
        link = self._link
        found = []
        if link.condition == "refused":
            found.append(text.clean(link.sentence))
        elif link.condition == "lost":
            found.append(f"{text.clean(link.sentence)}. Trying again; {self._start} starts the daemon.")
        elif link.status is not None and link.status.read_only:
            of = "this search, which is finished" if link.status.state == "finished" else "this search"
            found.append(f"No daemon runs {of}: what stands here is read from its files. {self._start} starts one.")
        if link.status is not None:
            found += [text.clean(problem) for problem in link.status.problems]
            if (many := failing(link.status.recent)) is not None and link.serving:
                found.append(text.clean(many))
        return found
