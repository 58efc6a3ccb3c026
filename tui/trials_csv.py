"""Trials as CSV, for what is done with them outside."""

import csv
import io
from collections.abc import Sequence

from nasd import protocol
from nasd.filters import MOST_TERMS
from tui.link import Link

COLUMNS = (
    "number", "net", "status", "stage", "reward", "best_validation", "test_accuracy", "layers", "parameters",
    "embedding_dim", "seconds", "device", "finished_at", "counted", "imported", "duplicate_of", "reason", "star",
    "note",
)  # fmt: skip
"""Fields of a row; what the strategy noted follows, as `facts.NAME`."""


async def fetch(numbers: Sequence[int], link: Link) -> list[protocol.TrialRow]:
    """The trials with these numbers, as they are by now, with their sizes.

    Raises:
        NasdError: Nobody answers.
    """
    rows: list[protocol.TrialRow] = []
    for start in range(0, len(numbers), MOST_TERMS):
        where = "|".join(f"trial={number}" for number in numbers[start : start + MOST_TERMS])
        params = protocol.TrialsParams(limit=MOST_TERMS, where=where, descending=False, sizes=True)
        page: protocol.TrialPage = await link.call("trials", params)
        rows += page.rows
    return sorted(rows, key=lambda row: row.number)


def written(rows: Sequence[protocol.TrialRow]) -> str:
    """A header and a line for each."""
    facts = sorted({name for row in rows for name in row.facts})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"facts.{name}" for name in facts)])
    for row in rows:
        writer.writerow([*(getattr(row, name) for name in COLUMNS), *(row.facts.get(name) for name in facts)])
    return file.getvalue()
