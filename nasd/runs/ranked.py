"""Cells and their scores in files: in our own CSV, which has a header, and in the published ones, which have none.

Our columns are `rank,score,kind,std,blocks,cell`: the place from the best on (empty where the file is in the order of
cells), the reward, whether it was measured or predicted, the prediction's standard deviation, and the cell.
"""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nasd.errors import NasdError
from nasd.runs.published import cells, table
from nasd.runs.published.table import CsvError
from nasd.spaces.base import GrammarError
from nasd.spaces.cells.canonical import canonical
from nasd.spaces.cells.cell import MAX_LOOKBACK
from nasd.spaces.cells.parse import parse
from store.errors import disk_errors

Kind = Literal["measured", "predicted"]

_KINDS: dict[str, Kind] = {"measured": "measured", "predicted": "predicted"}
COLUMNS = ("rank", "score", "kind", "std", "blocks", "cell")
HISTORY = "train_history"  # begins the name of a published file of measured scores


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A cell and its score, as a file has it."""

    score: float
    kind: Kind
    net: str  # as written there
    blocks: int
    spread: float | None = None  # standard deviation of a prediction

    @property
    def cell(self) -> str:
        """The cell in canonical form."""
        blocks = canonical(parse(self.net, MAX_LOOKBACK))
        return f"cell[{', '.join(f'({first}, {second})' for first, second in blocks)}]"


def paths_of(patterns: Iterable[str]) -> list[Path]:
    """The files that names and patterns such as `scores_*.csv` stand for, each once, histories first, then by name.

    Raises:
        NasdError: There is none for a pattern.
    """
    found = set[Path]()
    for pattern in patterns:
        names = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207 - absolute patterns, too
        if not names:
            raise NasdError(f"there is no file {pattern}")
        found |= set(map(Path, names))
    return sorted(found, key=lambda path: (not path.name.startswith(HISTORY), path))


def read(path: Path) -> Iterator[RankedRow]:
    """The rows of a file, one at a time.

    Scores of a published file count as measured if its rows have several numbers of blocks, or its name is that of a
    history; a published file of predictions has one number of blocks.

    Raises:
        CsvError: It is none of these files.
        DiskError: It cannot be read.
    """
    if _is_ours(path):
        yield from _read_ours(path)
        return
    measured = path.name.startswith(HISTORY) or len(cells.form(path).blocks) > 1
    for row in cells.read(path):
        yield RankedRow(row.score, "measured" if measured else "predicted", row.net, row.blocks)


def write(path: Path, rows: Iterable[RankedRow], *, ranked: bool = True) -> int:
    """Write our CSV, whole or not at all; returns the number of rows. Raises StoreError."""
    return table.write(path, COLUMNS, (_fields(row, rank if ranked else None) for rank, row in enumerate(rows, 1)))


def _fields(row: RankedRow, rank: int | None) -> Sequence[object]:
    return (rank, row.score, row.kind, row.spread, row.blocks, row.net)


def _is_ours(path: Path) -> bool:
    with disk_errors(path, "read a CSV file"), path.open("rb") as stream:
        first = stream.readline(200).decode("utf-8-sig", "replace")
    return "cell" in first.strip().split(",")


def _read_ours(path: Path) -> Iterator[RankedRow]:
    for record in table.records(path, COLUMNS[1:]):
        kind = _KINDS.get(record.cells["kind"])
        if kind is None:
            record.fail("kind", "measured or predicted")
        net = record.cells["cell"]
        try:
            blocks = len(parse(net, MAX_LOOKBACK))
        except GrammarError as error:
            raise CsvError(f"{path}, line {record.line}, column cell: {error}") from error
        spread = record.number("std", "a number from 0 up", 0) if record.cells["std"].strip() else None
        yield RankedRow(record.number("score", "a number"), kind, net, blocks, spread)
