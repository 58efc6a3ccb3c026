"""What a run looks like from outside, read from its directory: for `nasd ps`, and for a run without a daemon."""

from pathlib import Path
from typing import Literal

from nasd.protocol import RunRow
from store import Run, StoreError, is_owned


def written(directory: Path) -> dict[str, int]:
    """When the files that hold a run's rows were last written, in nanoseconds since the epoch, by name.

    `run.db-shm` is not among them: whoever reads writes it too.
    """
    found = (directory / name for name in ("run.db", "run.db-wal"))
    return {file.name: file.stat().st_mtime_ns for file in found if file.exists()}


def run_row(directory: Path) -> RunRow:
    """One line about a run. A damaged one is reported as unreadable, not raised."""
    modified = max(written(directory).values(), default=0) / 1e9
    try:
        with Run.open(directory) as run:
            flags, best = run.flags(), run.best(1)
            counted = run.counted()
            total = flags.get("total")
            finished = bool(flags.get("finished")) or (total is not None and 0 < total <= counted)
            return RunRow(
                name=directory.name,
                directory=str(directory),
                state=_state(directory, finished=finished, paused=bool(flags.get("paused"))),
                trials=run.count(),
                counted=counted,
                total=total,
                best_reward=best[0].reward if best else None,
                modified_at=modified,
            )
    except StoreError:  # `nasd verify` names the damage
        return RunRow(
            name=directory.name,
            directory=str(directory),
            state="unreadable",
            trials=0,
            total=0,
            best_reward=None,
            modified_at=modified,
        )


def _state(directory: Path, *, finished: bool, paused: bool) -> Literal["running", "paused", "finished", "stopped"]:
    if finished:
        return "finished"
    if not is_owned(directory):
        return "stopped"
    return "paused" if paused else "running"
