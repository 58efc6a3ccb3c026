"""The section `snapshots`: copies of a run that the daemon takes by itself."""

from pathlib import Path

from nasd.config.section import Positive, Section


class SnapshotsConfig(Section):
    """Snapshots that the daemon takes by itself. Every trial is safe without: these are for when the disk goes."""

    every: Positive | None = None  # trials; None: never
    keep: Positive = 3  # the newest
    to: Path | None = None  # folder, best on another disk; None: the run's `snapshots`
