"""The columns that a list of trials may have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from nasd.protocol import TrialRow
from tui import text, theme
from tui.widgets.table import Cell, Column


class Seen(NamedTuple):
    """A row as it is listed."""

    row: TrialRow
    marked: bool
    now: float  # seconds since the epoch


@dataclass(frozen=True)
class Choice:
    """A column, and what it shows of a row."""

    name: str  # as it is remembered
    about: str
    column: Column
    cell: Callable[[Seen], Cell]
    sizes: bool = False  # needs what only the architecture's graph tells


def _mark(seen: Seen) -> Cell:
    row = seen.row
    glyph, _, colour = theme.MARKS[row.status]
    chosen = "◆" if seen.marked else "★" if row.star else " "
    name = colour[1:] if row.status != "evaluated" else "success"
    return glyph + (theme.IMPORTED[0] if row.imported else " ") + chosen, name


def _net(seen: Seen) -> Cell:
    row = seen.row
    often = f"{row.proposed}x " if row.proposed > 1 else ""
    return often + text.clean(row.net), "" if row.status == "evaluated" else "dim"


def _number(value: int | None) -> Cell:
    return "–" if value is None else text.count(value), ""


FIRST = (
    Choice("trial", "number", Column("trial", 7, "right", sort="number"), lambda seen: (str(seen.row.number), "dim")),
    Choice("mark", "how it ended", Column("", 3), _mark),
)
LAST = Choice("net", "architecture", Column("architecture", 0), _net)

CHOICES = (
    Choice(
        "reward",
        "reward in percent",
        Column("reward %", 10, "right", sort="reward"),
        lambda seen: (text.percent(seen.row.reward), "" if seen.row.counted else "dim"),
    ),
    Choice(
        "val",
        "best validation accuracy",
        Column("best val", 9, "right", sort="best_validation", least=100),
        lambda seen: (text.percent(seen.row.best_validation), ""),
    ),
    Choice(
        "test",
        "test accuracy",
        Column("test", 7, "right", sort="test_accuracy"),
        lambda seen: (text.percent(seen.row.test_accuracy), ""),
    ),
    Choice(
        "layers",
        "number of layers",
        Column("layers", 6, "right", sort="layers"),
        lambda seen: _number(seen.row.layers),
        sizes=True,
    ),
    Choice(
        "params",
        "weights of the network",
        Column("params", 10, "right", sort="parameters"),
        lambda seen: _number(seen.row.parameters),
        sizes=True,
    ),
    Choice(
        "dim",
        "values of the embedding",
        Column("dim", 7, "right", sort="embedding_dim"),
        lambda seen: _number(seen.row.embedding_dim),
    ),
    Choice(
        "stage",
        "part of the search, such as an epsilon",
        Column("stage", 8),
        lambda seen: (text.clean(seen.row.stage), "dim"),
    ),
    Choice(
        "time",
        "how long it took",
        Column("time", 6, "right", sort="seconds"),
        lambda seen: (text.short_duration(seen.row.seconds) if seen.row.seconds else "–", "dim"),
    ),
    Choice(
        "device",
        "where it was evaluated",
        Column("device", 8),
        lambda seen: (text.clean(seen.row.device) or "–", "dim"),
    ),
    Choice(
        "finished",
        "when it ended",
        Column("finished", 10, "left", sort="finished_at", least=120),
        lambda seen: (text.clock(seen.row.finished_at, seen.now)[-10:] if seen.row.finished_at else "–", "dim"),
    ),
    Choice("note", "what somebody noted", Column("note", 16), lambda seen: (text.clean(seen.row.note), "warning")),
)
"""Those that a user may leave out, in their order."""

DEFAULT = ("reward", "val", "test", "stage", "time", "finished")
"""Names of those that are shown at first; some only where there is room."""


def shown(names: Sequence[str] | None) -> tuple[Choice, ...]:
    """The columns with these names, whatever the width; None: as at first. Names that are none are passed over."""
    if names is None:
        chosen = [choice for choice in CHOICES if choice.name in DEFAULT]
    else:
        chosen = [replace(choice, column=replace(choice.column, least=0)) for choice in CHOICES if choice.name in names]
    return (*FIRST, *chosen, LAST)


def width(names: Sequence[str]) -> int:
    """Cells that these columns take, with the number and the mark."""
    return sum(choice.column.width + 1 for choice in shown(names))
