"""How often the screen is drawn, whatever arrives: calm for the eye, cheap for the box that searches."""

from collections.abc import Callable

LEAST = 0.1
"""Seconds between two drawings, at least."""

SHARE = 0.03
"""Of a core, that drawing takes at most in the long run."""

LONGEST = 1.0
"""Seconds between two drawings, at most, however slow the box is."""


class Pace:
    """Says how long to wait before the next drawing, from when the last one was and what it cost."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = clock()

    def wait(self) -> float:
        """Seconds until the next drawing may begin."""
        return max(0.0, self._next - self._clock())

    def drawn(self, cost: float) -> None:
        """A drawing ended, which took `cost` seconds of processor time."""
        self._next = self._clock() + min(LONGEST, max(LEAST, cost / SHARE))
