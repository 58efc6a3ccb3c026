"""What a daemon is at, and what is in its way: kept, and told whenever it changes."""

import time
from collections.abc import Callable
from typing import Protocol

from nasd.daemon.alerts import Alerts
from nasd.daemon.broadcast import Broadcast
from nasd.protocol import RunState, StateChanged


class _Search(Protocol):
    @property
    def paused(self) -> bool: ...

    @property
    def busy(self) -> bool: ...

    @property
    def activity(self) -> str: ...


class Condition:
    """State and problems of a run.

    Args:
        broadcast: Hears of each change.
        alerts: Told of each problem.
        search: Gives what is searched with; not called before the first change.

    Attributes:
        phase: The state without pauses.
        problems: A sentence for each thing that needs a person, by what has it.
    """

    def __init__(self, broadcast: Broadcast, alerts: Alerts, search: Callable[[], _Search]) -> None:
        self.phase: RunState = "starting"
        self.problems: dict[str, str] = {}
        self._broadcast, self._alerts, self._search = broadcast, alerts, search
        self._told: tuple[RunState, str, tuple[str, ...]] | None = None

    @property
    def state(self) -> RunState:
        """The state, pauses included."""
        if self.phase == "running" and self._search().paused:
            return "pausing" if self._search().busy else "paused"
        return self.phase

    def enter(self, phase: RunState) -> None:
        """Be in another state from now on."""
        self.phase = phase
        self.tell()

    def problem(self, of: str, problem: str | None) -> None:
        """Keep what is in the way.

        Args:
            of: What has the problem; there is at most one for each.
            problem: A sentence; None: it is no more.
        """
        if problem is None:
            self.problems.pop(of, None)
        else:
            self.problems[of] = problem
        self._alerts.problem(of, problem)
        self.tell()

    def tell(self) -> None:
        """Tell subscribers, if it is not what they heard last."""
        now = (self.state, self._search().activity, tuple(self.problems.values()))
        if now != self._told:
            self._told = state, activity, problems = now
            self._broadcast.publish(
                lambda seq: StateChanged(seq=seq, time=time.time(), state=state, activity=activity, problems=problems)
            )
