"""What is worth telling somebody who does not look at the search."""

from collections.abc import Iterable, Sequence

from nasd.config import NotifyConfig
from nasd.daemon.notify import Notifier
from nasd.failing import RECENT, failing
from nasd.protocol import Machine, TrialRow

LOW_DISK = 500_000_000  # bytes


def low_disk(machine: Machine) -> str | None:
    """A sentence if the run's disk is nearly full."""
    if machine.disk_free >= LOW_DISK:
        return None
    # In steps, so that it is not a new sentence at every reading.
    return f"the disk of the run is nearly full: less than {-(-machine.disk_free // 100_000_000) * 100} MB are free"


class Alerts:
    """Decides what is news.

    Args:
        notifier: Who is told.
        recent: The newest trials, newest first.
    """

    def __init__(self, notifier: Notifier, recent: Iterable[TrialRow]) -> None:
        self._notifier = notifier
        self._recent = list(recent)
        self._failing = False

    def go_by(self, config: NotifyConfig) -> None:
        """Another command from now on."""
        self._notifier.config = config

    def trial_finished(self, row: TrialRow, best: Sequence[TrialRow]) -> None:
        """It may be the best of all, and it may be one of many that fail; the very first trial is no news."""
        if self._recent and best and best[0].number == row.number:
            text = f"new best {100 * row.reward:.2f} %, trial {row.number}: {row.net}"
            self._notifier.best(text, trial=row.number, reward=row.reward, net=row.net)
        self._recent = [row, *self._recent][:RECENT]
        many = failing(self._recent)
        if many is None or not self._failing:  # told when it begins, not with every number anew
            self._notifier.problem("trials", many)
        self._failing = many is not None

    def finished(self, trials: int, best: float | None) -> None:
        """The search came to its end."""
        reached = "" if best is None else f", best {100 * best:.2f} %"
        self._notifier.finished(f"the search is finished, {trials:,} trials{reached}", trials=trials, reward=best)

    def problem(self, of: str, problem: str | None) -> None:
        """Something needs a person, or no more."""
        self._notifier.problem(of, problem)

    async def close(self) -> None:
        """The daemon ends."""
        await self._notifier.close()
