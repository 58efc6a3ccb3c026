"""Tables of a run as CSV files in the columns that published code reads. Which there are depends on the strategy."""

from pathlib import Path

from nasd import rooms
from nasd.errors import NasdError
from nasd.export.place import unfinished
from nasd.runs import changes
from nasd.runs.published.replay import Unit
from store import Run


def names(run: Run) -> tuple[str, ...]:
    """The tables that a run has. Raises ConfigError, StoreError."""
    return tuple(rooms.tables(changes.config_of(run)))


def export(run: Run, what: str, path: Path, *, unit: Unit = "fraction") -> int:
    """Write one of the tables, whole or not at all; returns its number of rows.

    Raises:
        NasdError: The run has no such table, or another export is writing the same file.
        StoreError: The disk refuses.
    """
    tables = rooms.tables(changes.config_of(run))
    if what not in tables:
        raise NasdError(f"{run.path.name} has no table {what[:40]!r} to export: it has {', '.join(tables)}")
    with unfinished(path, replace=True) as whole:
        return tables[what](run, whole, unit)
