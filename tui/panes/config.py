"""Config: the run's frozen configuration, with what differs from the defaults marked."""

import re
from collections.abc import Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from nasd import protocol
from nasd.errors import NasdError
from tui import text
from tui.link import Change, Link, Renewed
from tui.panes.pane import Pane
from tui.work import work

_KEY = re.compile(r"^( *)([A-Za-z_]\w*):(.*)$")


class Config(Pane):
    """One text, which scrolls."""

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._text = Static()

    def compose(self) -> ComposeResult:
        """The text."""
        with _Scroll():
            yield self._text

    def enter(self) -> None:
        """Ask; it never changes, but another run has another."""
        self.query_one(_Scroll).focus()
        work(self, "config", self._fetch)

    def hear(self, change: Change) -> None:
        """Another run, perhaps."""
        if isinstance(change, Renewed):
            work(self, "config", self._fetch)

    async def _fetch(self) -> None:
        try:
            config: protocol.ConfigText = await self.link.call("config")
        except NasdError as error:
            self._text.update(Content.styled(text.clean(str(error)), "$dim"))
            return
        self._text.update(Content("\n").join(lines(config.yaml, config.changed)))


def lines(yaml: str, changed: Collection[str]) -> Sequence[Content]:
    """The YAML, a mark before each key whose value is not the default."""
    found = [Content.styled("● differs from the defaults of its kind", "$dim"), Content()]
    section, marked = "", False
    for line in yaml.splitlines():
        key = _KEY.match(line)
        if key is not None:
            if not key[1]:
                section = key[2]
            name = section if not key[1] else f"{section}.{key[2]}"
            if len(key[1]) <= 2:
                marked = name in changed
            mark = ("● ", "bold $warning") if marked else ("  ", "")
            value = text.clean(key[3])
            found.append(
                Content.assemble(mark, key[1], (f"{key[2]}:", "$primary"), (value, "bold" if marked else "$dim"))
            )
        else:
            found.append(Content.assemble("  ", (text.clean(line), "bold" if marked else "$dim")))
    return found


class _Scroll(VerticalScroll, inherit_bindings=False):
    """Scrolls up and down."""

    DEFAULT_CSS = "_Scroll { padding: 0 1; } _Scroll Static { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, id="config.up", tooltip="One line up"),
        Binding("down,j", "scroll_down", "down", show=False, id="config.down", tooltip="One line down"),
        Binding("pageup", "page_up", "page up", show=False, id="config.pageup", tooltip="One screen up"),
        Binding("pagedown", "page_down", "page down", show=False, id="config.pagedown", tooltip="One screen down"),
    ]
