"""What can be typed behind `:` besides the names of keys: `117`, `best`, `run NAME`, `theme light`,
`alerts off`."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import Hit, Hits, Provider

from nasd.errors import NasdError
from tui import text
from tui.messages import AttachRun, ShowTrial

if TYPE_CHECKING:
    from tui.app import NasdApp

MOST_RECENT = 5

Action = Callable[[], None]


class Commands(Provider):
    """Commands that take an argument; without one typed, those that were used last."""

    @property
    def _nasd(self) -> "NasdApp":
        return cast("NasdApp", self.app)

    async def discover(self) -> Hits:
        """What was used last, newest first, above what other providers have, in whatever order they are asked."""
        for place, words in enumerate(self._nasd.recent):
            async for name, tooltip, action in self._fitting(words):
                yield Hit(1000.0 - place, f"{name}  (recent)", action, help=tooltip)
                break

    async def search(self, query: str) -> Hits:
        """What the words mean."""
        async for name, tooltip, action in self._fitting(query.strip().removeprefix(":")):
            yield Hit(1000.0, name, partial(self._chosen, name, action), help=tooltip)

    async def _fitting(self, words: str) -> AsyncIterator[tuple[str, str, Action]]:
        word, _, argument = words.partition(" ")
        if word.isdecimal() and len(word) < 16 and not argument:
            yield word, f"Show trial {word}", partial(self._show, int(word))
        if word == "best" and (status := self._nasd.link.status) and status.best:
            number = status.best[0].number
            yield "best", f"Show the best trial, {number}", partial(self._show, number)
        if word == "theme":
            for theme in self._themes(argument.strip()):
                yield f"theme {theme}", f"Use the theme {theme}", partial(self._nasd.use_theme, theme)
        if word == "alerts":
            for name in ("on", "off"):
                if name.startswith(argument.strip()):
                    action = partial(self._nasd.use_alerts, name == "on")
                    yield f"alerts {name}", f"Bell and desktop notifications {name}", action
        if word == "run":
            try:
                runs = await self._nasd.box.runs(self._nasd.link.target)
            except NasdError:
                return
            for row in runs.rows:
                if row.name.startswith(argument.strip()):
                    action = partial(self._attach, row.directory, row.name)
                    yield f"run {text.clean(row.name)}", f"Open the run {text.clean(row.name)}, {row.state}", action

    def _themes(self, argument: str) -> Iterator[str]:
        for name in ("dark", "light", *sorted(self._nasd.available_themes)):
            if name.startswith(argument) and not name.startswith("nasd-"):
                yield name

    def _show(self, number: int) -> None:
        self.app.post_message(ShowTrial(number))

    def _attach(self, directory: str, name: str) -> None:
        self.app.post_message(AttachRun(directory, name))

    def _chosen(self, name: str, action: Action) -> None:
        recent = self._nasd.recent
        recent[:] = [name, *(one for one in recent if one != name)][:MOST_RECENT]
        action()
