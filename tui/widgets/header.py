"""The top line: which run, its state, where it is, and how old all of that is."""

from textual.content import Content
from textual.widget import Widget

from nasd import protocol
from tui import text, theme
from tui.link import Link


class Header(Widget):
    """Always there. The right end tells whether the screen shows the present."""

    DEFAULT_CSS = """
    Header { height: 1; background: $panel; text-wrap: nowrap; text-overflow: clip; padding: 0 1; }
    """

    def __init__(self, link: Link, host: str) -> None:
        super().__init__()
        self._link, self._host = link, host
        self._drawn: Content | None = None

    def on_mount(self) -> None:
        """Age and remaining time move by themselves."""
        self.set_interval(0.5, self.renew)

    def renew(self) -> None:
        """Repaint if anything reads differently."""
        if not self._text().is_same(self._drawn or Content()):
            self.refresh()

    def render(self) -> Content:
        """Left: the search; right: the connection."""
        self._drawn = self._text()
        return self._drawn

    def _text(self) -> Content:
        right = self._connection()
        room = self.content_size.width - right.cell_length - 2
        left = Content()
        for part in self._parts():
            longer = left + Content("  " if left else "") + part
            if longer.cell_length > room:
                break
            left = longer
        gap = self.content_size.width - left.cell_length - right.cell_length
        return left + Content(" " * max(1, gap)) + right

    def _parts(self) -> list[Content]:
        """In the order in which they are dropped from a narrow screen, last first."""
        status, link = self._link.status, self._link
        target = link.target
        name = status.name if status else target.run or (target.directory.name if target.directory else "runs")
        host = target.host or self._host
        parts = [Content.assemble((text.clean(name), "bold"), (f"@{text.clean(host)}", "$dim"))]
        if status is None:
            return parts
        progress, old = status.progress, "$dim" if link.condition != "live" else ""
        parts.append(self._state(status))
        if len(progress.stages) > 1:
            label = text.shorten(text.clean(progress.stages[progress.stage].label), 16)
            parts.append(Content.styled(label, old))
        total = "" if progress.total is None else f"/{text.count(progress.total)}"
        parts.append(Content.assemble((text.count(progress.counted), old), (total or " counted", "$dim")))
        if link.serving and progress.eta_seconds is not None and status.state in ("running", "pausing", "paused"):
            parts.append(Content.assemble(("ETA ", "$dim"), text.duration(progress.eta_seconds)))
            if status.state == "running":  # left out first where room is short
                parts.append(Content.styled(text.moment(link.now + progress.eta_seconds, link.now), "$dim"))
        if status.problems:
            parts.insert(2, Content.styled(f"▲ {len(status.problems)}", "bold $error"))
        if status.dataset:
            parts.append(Content.styled(text.clean(status.dataset), "$dim"))
        return parts

    def _state(self, status: protocol.Status) -> Content:
        """What the search is at; of one whose daemon is gone how it was last seen."""
        link, seen = self._link, self._link.seen
        if seen is not None and status.state != "finished":
            was = "stopped" if seen.state == "stopping" else f"last seen {seen.state},"
            return Content.styled(f"{was} {text.duration(link.since(seen.at))} ago", "$dim")
        glyph, colour = theme.STATES[status.state]
        return Content.styled(f"{glyph} {status.state}", colour)

    def _connection(self) -> Content:
        link = self._link
        if link.condition == "live" and link.status is not None and link.status.read_only:  # files have no heartbeat
            return Content.styled("■ no daemon", "$warning" if link.status.state != "finished" else "$dim")
        if link.live:
            return Content.styled("● live", "$success")
        if link.condition == "live":
            return Content.styled(f"▲ {text.duration(link.age)} old", "bold $warning")
        if link.condition == "refused":
            return Content.styled("✗ other version", "bold $error")
        if link.condition == "none":
            return Content.styled("choose a run", "$primary")
        if link.condition == "connecting":
            return Content.styled("◌ connecting", "$warning")
        return Content.styled("▲ reconnecting", "bold $warning")
