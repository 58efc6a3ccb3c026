"""Q-values in the columns of the published code (DP-NAS, CODEBRIM MetaQNN).

The states of the CODEBRIM code have no padding, which is 1 in residual blocks and 0 else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nasd.runs.published import table
from nasd.runs.published.table import Record

StateTuple = tuple[str, int, int, int, int, int, int, int, int]
"""layer_type, layer_depth, filter_depth, filter_size, stride, padding, image_size, fc_size, terminate (0 or 1)."""

_FIELDS = (
    "layer_type",
    "layer_depth",
    "filter_depth",
    "filter_size",
    "stride",
    "padding",
    "image_size",
    "fc_size",
    "terminate",
)
COLUMNS = (*(f"start_{name}" for name in _FIELDS), *(f"end_{name}" for name in _FIELDS), "utility")

_UNPADDED = tuple(name for name in _FIELDS[1:-1] if name != "padding")
_NOT_IN_CODEBRIM = {"start_padding": "start_layer_type", "end_padding": "end_layer_type"}
_WORD = re.compile(r"[a-z_]{1,32}\Z")


@dataclass(frozen=True, slots=True)
class QRow:
    """One Q-value: taking `action` (the state that it leads to) in `state`."""

    state: StateTuple
    action: StateTuple
    value: float


def write(path: Path, rows: Iterable[QRow]) -> int:
    """Write Q-values and return their number. Errors as `table.write`.

    The published code takes a state that it finds in the file to have the listed actions and no others: for going on
    there, give the untouched actions of every state too, with their initial value.
    """
    return table.write(path, COLUMNS, ((*row.state, *row.action, row.value) for row in rows))


def read(path: Path) -> list[QRow]:
    """Read Q-values. Errors as `table.records`."""
    rows = []
    seen: dict[tuple[StateTuple, StateTuple], int] = {}
    for record in table.records(path, COLUMNS, optional=_NOT_IN_CODEBRIM):
        state, action = _state(record, "start"), _state(record, "end")
        row = QRow(state, action, record.number("utility", "a number"))
        # The published code lists a 1x1 convolution twice; its second copy never learns, so the first one is meant.
        if (state, action) not in seen:
            rows.append(row)
        seen[state, action] = record.line
    return rows


def _state(record: Record, end: str) -> StateTuple:
    kind = record.cells[f"{end}_layer_type"].strip()
    if not _WORD.match(kind):
        record.fail(f"{end}_layer_type", "a layer type such as conv")
    padding = record.integer(f"{end}_padding") if f"{end}_padding" in record.cells else int(kind == "wrn")
    depth, filters, size, stride, image, fc = (record.integer(f"{end}_{name}") for name in _UNPADDED)
    return (kind, depth, filters, size, stride, padding, image, fc, record.integer(f"{end}_terminate", 1))
