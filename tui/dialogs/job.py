"""A job: what was asked for, and each repeat that came of it."""

import statistics
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from nasd import protocol
from tui import text, theme
from tui.dialogs.dialog import Dialog


class JobDialog(Dialog[int]):
    """Answers with the number of the trial that it repeats, if that is to be shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "cancel", "close", show=False, id="job.close", tooltip="Close it"),
        Binding("t", "trial", "trial", id="job.trial", tooltip="Show the trial that it repeats"),
    ]

    def __init__(self, job: protocol.JobRow, now: float) -> None:
        super().__init__()
        self._job, self._now = job, now

    def compose(self) -> ComposeResult:
        """One text, which scrolls."""
        with VerticalScroll(classes="window") as window:
            window.border_title = f"Job {self._job.id}"
            window.border_subtitle = "t trial · esc closes" if self._job.trial is not None else "esc closes"
            yield Static(Content("\n").join(_lines(self._job, self._now)))

    def action_trial(self) -> None:
        """Show the trial."""
        if self._job.trial is not None:
            self.dismiss(self._job.trial)


def _lines(job: protocol.JobRow, now: float) -> list[Content]:
    glyph, colour = theme.JOBS[job.status]
    found = [Content.assemble((f"{glyph} {job.status}", colour), f"  {text.clean(job.summary)}")]
    for name, moment in (("queued", job.created_at), ("started", job.started_at), ("ended", job.finished_at)):
        if moment:
            found.append(Content.assemble((f"{name:<9}", "$dim"), text.clock(moment, now)))
    if job.reason:
        found.append(Content.styled(text.clean(job.reason), "$error" if job.status == "failed" else "$warning"))
    repeats = (job.result or {}).get("repeats")
    if isinstance(repeats, list) and all(isinstance(one, dict) for one in repeats) and repeats:
        found += [Content(), *_table(repeats, job.reward)]
    return found


def _table(repeats: list[dict[str, Any]], reward: float | None) -> list[Content]:
    """Each repeat, then mean and spread, and how far that is from what the search saw."""
    found = [Content.styled(f"{'repeat':>9}{'reward':>9}{'val':>9}{'test':>9}{'time':>9}", "$dim")]
    for number, one in enumerate(repeats, 1):
        values = "".join(f"{_percent(one.get(name)):>9}" for name in ("reward", "best_validation", "test_accuracy"))
        seconds = one.get("seconds")
        time = text.short_duration(seconds) if isinstance(seconds, float | int) else "–"
        found.append(Content(f"{number:>9}{values}{time:>9}"))
    columns = [_values(repeats, name) for name in ("reward", "best_validation", "test_accuracy")]
    means = [statistics.fmean(column) if column else None for column in columns]
    spreads = [statistics.stdev(column) if len(column) > 1 else None for column in columns]
    found.append(Content.styled("mean".rjust(9) + "".join(f"{_percent(value):>9}" for value in means), "bold"))
    found.append(Content.styled("spread".rjust(9) + "".join(f"{_percent(value):>9}" for value in spreads), "$dim"))
    if reward is not None and means[0] is not None:
        difference = f"{100 * (means[0] - reward):+.2f}"
        found.append(
            Content.assemble((f"the search saw {text.percent(reward)}, the mean differs by ", "$dim"), difference)
        )
    return found


def _values(repeats: list[dict[str, Any]], name: str) -> list[float]:
    return [value for one in repeats if isinstance(value := one.get(name), float | int)]


def _percent(value: object) -> str:
    return text.percent(value) if isinstance(value, float | int) else "–"
