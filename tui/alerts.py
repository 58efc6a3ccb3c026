"""Tells a person who looks elsewhere: bell, desktop notification, the window's title; in escape sequences of terminals.

OSC 0 names the window, OSC 9 (iTerm2, kitty, WezTerm, Windows Terminal) and OSC 777 (rxvt, foot, Ghostty, VTE) show a
notification; a terminal that knows none of them ignores them.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from nasd import protocol
from nasd.failing import failing
from tui import text
from tui.link import Change, Link, Renewed

BEST_AGAIN = 60.0
"""Seconds between two notifications of a new best."""

EARLY = 20
"""Counted trials before which a new best is no news."""

_BY_777 = ("foot", "rxvt", "ghostty", "vte")


class Alert(NamedTuple):
    """Something that happened."""

    kind: Literal["finished", "problem", "best"]
    text: str


class Alerts:
    """Compares what is told with what was known. What was there when the UI attached is no news.

    Args:
        link: Whose status is followed.
        write: Writes to the terminal.
        environment: Of the process; tells which terminal it is.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        link: Link,
        write: Callable[[str], None],
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link, self._write, self._clock = link, write, clock
        self._tmux = "TMUX" in environment
        terminal = f"{environment.get('TERM', '')} {environment.get('TERM_PROGRAM', '')}".lower()
        self._by_777 = "VTE_VERSION" in environment or any(name in terminal for name in _BY_777)
        self._state: str | None = None
        self._problems: frozenset[str] = frozenset()
        self._failing = False
        self._best_at: float | None = None
        self._title = ""

    def open(self) -> None:
        """Keep the window's title for later."""
        self._write("\x1b[22;0t")

    def close(self) -> None:
        """Give the window its title back."""
        self._write("\x1b[23;0t")

    def take(self, news: Sequence[Change], *, loud: bool) -> list[Alert]:
        """What of the news a person should hear; it is said at once if `loud`, except in words on the screen."""
        found = []
        for change in news:
            if isinstance(change, Renewed):
                self._forget_if_other()
            elif isinstance(change, protocol.TrialFinished):
                found += self._trial(change)
        found += self._status()
        self._entitle()
        if loud:
            for alert in found:
                if alert.kind != "best":
                    self._write("\a")
                self._write(self._notification(alert.text))
        return found

    def _forget_if_other(self) -> None:
        """Another daemon, or the same one again: what it says first is how things are."""
        status = self._link.status
        if status is not None and self._state is None:
            self._state, self._problems = status.state, frozenset(status.problems)
            self._failing = failing(status.recent) is not None

    def reset(self) -> None:
        """Another run is followed."""
        self._state, self._problems, self._failing, self._best_at = None, frozenset(), False, None

    def _trial(self, event: protocol.TrialFinished) -> list[Alert]:
        if not event.best or event.best[0].number != event.row.number or event.progress.counted <= EARLY:
            return []
        if self._best_at is not None and self._clock() - self._best_at < BEST_AGAIN:
            return []
        self._best_at = self._clock()
        return [Alert("best", f"new best {text.percent(event.row.reward)} %, trial {text.count(event.row.number)}")]

    def _status(self) -> list[Alert]:
        status = self._link.status
        if status is None or self._state is None:
            return []
        found = []
        if status.state == "finished" != self._state:
            found.append(Alert("finished", "the search is finished"))
        new = [problem for problem in status.problems if problem not in self._problems]
        found += [Alert("problem", problem) for problem in new]
        many = failing(status.recent)
        if many is not None and not self._failing:
            found.append(Alert("problem", many))
        self._state, self._problems, self._failing = status.state, frozenset(status.problems), many is not None
        return found

    def _entitle(self) -> None:
        status = self._link.status
        if status is None:
            return
        progress = status.progress
        share = f" {100 * progress.counted // progress.total} %" if progress.total else ""
        state = status.state if self._link.condition == "live" else "not live"
        title = f"{text.clean(status.name)}:{share} {state}"
        if title != self._title:
            self._title = title
            self._write(f"\x1b]0;{title}\a")

    def _notification(self, said: str) -> str:
        status = self._link.status
        name = text.clean(status.name) if status else "nasd"
        said = text.shorten(text.clean(said), 200)
        if self._by_777:
            sequence = f"\x1b]777;notify;nasd {name};{said.replace(';', ',')}\a"
        else:
            sequence = f"\x1b]9;{name}: {said}\a"
        if self._tmux:  # handed through, if tmux allows it
            sequence = "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        return sequence
