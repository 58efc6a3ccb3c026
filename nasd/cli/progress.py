"""Progress of a foreground run: a live display on a terminal, plain lines elsewhere."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nasd import protocol
from nasd.cli.output import duration, percent, printable


class Display:
    """Hears a daemon's events and shows them. Use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._console = Console(file=sys.stdout, highlight=False)
        self._live: Live | None = None
        self._status: protocol.Status | None = None
        self._worker: protocol.WorkerStatus | None = None
        self._begun = time.monotonic()

    def begin(self, status: protocol.Status) -> None:
        """Say what is about to run."""
        self._status = status
        done = status.progress.trials
        asked = "begins" if status.progress.total is None else f"{status.progress.total} trials to count"
        goes_on = f"goes on after {done} trials" if done else asked
        self._console.print(Text(f"nasd  {status.name} on {status.dataset}, {goes_on}, in {self._directory}"))
        if self._live is not None:
            self._live.start()

    def hear(self, event: protocol.Event) -> None:
        """Show an event."""
        if self._status is None:
            return
        match event:
            case protocol.TrialFinished():
                self._console.print(Text(self._line(event)), soft_wrap=True)
                self._replace(progress=event.progress, best=event.best)
            case protocol.JobChanged(job=job) if job.finished_at is not None:
                self._console.print(Text(_ended(job)), soft_wrap=True)
            case protocol.WorkerChanged():
                self._worker = event.worker
            case protocol.StateChanged():
                for problem in set(event.problems) - set(self._status.problems):
                    self._console.print(Text(f"problem: {printable(problem)}", style="red"))
                if event.state == "paused" != self._status.state:
                    hint = f"paused; `nasd resume {self._directory.name}` in another terminal goes on"
                    self._console.print(Text(hint))
                self._replace(state=event.state, activity=event.activity, problems=event.problems)
        if self._live is not None:
            self._live.update(self._display())

    def end(self, status: protocol.Status) -> None:
        """Say what came of it."""
        self._close()
        took = duration(time.monotonic() - self._begun)
        progress = status.progress
        whole = status.state == "finished" or (progress.total is not None and progress.counted >= progress.total)
        self._console.print()
        self._console.print(
            Text(f"{'Finished' if whole else 'Stopped'} after {progress.trials} trials, {took} in this go.", "bold")
        )
        if status.best:
            table = Table("trial", "reward", "validation", "test", "architecture", box=None, pad_edge=False)
            for row in status.best:
                table.add_row(
                    str(row.number),
                    percent(row.reward),
                    percent(row.best_validation),
                    percent(row.test_accuracy),
                    Text(printable(row.net)),
                )
            self._console.print(table)
        name = self._directory.name
        self._console.print(Text(f"Results: {self._directory}"))
        more = "" if whole else f"    nasd run {name} (goes on)"
        self._console.print(Text(f"  nasd trials --top 10 {name}    nasd verify {name}{more}"))

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _replace(self, **changes: object) -> None:
        assert self._status is not None
        self._status = msgspec.structs.replace(self._status, **changes)

    def _line(self, event: protocol.TrialFinished) -> str:
        row, progress = event.row, event.progress
        head = f"{_position(progress):>9} trial {row.number:<4} {printable(row.stage)}"
        match row.status:
            case "evaluated" | "early_stopped":
                stopped = " early stop" if row.status == "early_stopped" else ""
                what = f"{percent(row.reward):>7} in {row.seconds:.1f} s{stopped}"
            case "duplicate":
                what = f"{percent(row.reward):>7} as trial {row.duplicate_of}"
            case _:
                what = f"{row.status}: {printable(row.reason or '')}"
        left = f"  {duration(progress.eta_seconds)} left" if progress.eta_seconds else ""
        return f"{head} {what}  {printable(row.net)}{left}"

    def _display(self) -> Group:
        status = self._status
        assert status is not None
        progress = status.progress
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=progress.total, completed=progress.counted, width=40),
            _position(progress),
            printable(progress.stages[progress.stage].label) if progress.stages else "",
            f"last 20: {percent(progress.rolling_reward)}",
            f"{duration(progress.eta_seconds)} left",
        )
        lines: list[Table | Text] = [bar]
        worker = self._worker
        if worker is not None and worker.state == "busy":
            epoch = f" epoch {worker.epoch}/{worker.epochs}" if worker.epochs else ""
            of = f"trial {worker.trial}" if worker.job is None else f"job {worker.job}"
            lines.append(Text(f"{of}: {worker.stage}{epoch}  {printable(worker.net or '')}", no_wrap=True))
        else:
            lines.append(Text(printable(status.activity)))
        return Group(*lines)


def _position(progress: protocol.SearchProgress) -> str:
    """How many trials counted, of how many if that is known."""
    return f"{progress.counted}" if progress.total is None else f"{progress.counted}/{progress.total}"


def _ended(job: protocol.JobRow) -> str:
    """What came of a job, in a line."""
    test = (job.result or {}).get("mean_test_accuracy")
    found = f": test {percent(test)}" if test is not None else f": {printable(job.reason)}" if job.reason else ""
    return f"{'job':>9} {job.id:<5} {job.status}{found}  {printable(job.summary)}"
