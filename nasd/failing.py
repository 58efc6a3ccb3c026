"""When a search fails too often to be left alone, in words."""

from collections.abc import Sequence

from nasd.protocol import TrialRow

RECENT = 10
MANY = 3


def failing(newest: Sequence[TrialRow]) -> str | None:
    """A sentence if many of the newest trials failed: how many, and the newest reason.

    Args:
        newest: Trials, newest first.
    """
    recent = newest[:RECENT]
    failed = [row for row in recent if row.status == "failed"]
    if len(failed) < MANY:
        return None
    return (
        f"{len(failed)} of the last {len(recent)} trials failed; the newest, trial {failed[0].number}: "
        f"{failed[0].reason or 'for no known reason'}"
    )
