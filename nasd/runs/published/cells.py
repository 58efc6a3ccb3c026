"""Cells in the CSV files of the published PNAS code: `train_history.csv` and `scores_B.csv`.

There is no header. A row is `score,input,operator,input,operator,...`, four fields for each block; numbers of blocks
may differ from row to row, and runs that were appended to a file are not told apart. A file without a negative input is
of a search that did not look back: there 0 is the cell's input, `h-1`. Otherwise -k is `h-k`, and i is block `b(i+1)`.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NoReturn

from nasd.runs.published.replay import Unit
from nasd.runs.published.table import CsvError, number_of, write_rows
from nasd.spaces.cells.cell import MAX_BLOCKS, MAX_LOOKBACK, Cell
from store import Run, Trial
from store.errors import disk_errors

NAMES = {
    "identity": "id",
    "3x3 dconv": "sep3x3",
    "5x5 dconv": "sep5x5",
    "7x7 dconv": "sep7x7",
    "1x7-7x1 conv": "conv1x7-7x1",
    "3x3 avgpool": "avg3x3",
    "3x3 maxpool": "max3x3",
    "3x3 dilconv": "dil3x3",  # the paper's, for which the published code has no name
    "3x3 conv": "conv3x3",
}
"""Operators as published files name them, and as a cell is written."""
_PUBLISHED = {ours: theirs for theirs, ours in NAMES.items()}
_INTEGER = re.compile(r" *-?[0-9] *\Z", re.ASCII)
_MAX_FIELD = 1000  # characters


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell and its score."""

    line: int  # in the file, from 1
    score: float
    net: str  # not in canonical form: blocks and terms are in the file's order
    blocks: int


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a file once all of it was looked at."""

    looks_back: bool
    blocks: frozenset[int]  # which numbers of them its rows have


def form(path: Path) -> Form:
    """Look through a file. Raises CsvError, DiskError."""
    looks_back, blocks = False, set[int]()
    for line, fields in _lines(path):
        blocks.add(_blocks(path, line, fields))
        looks_back = looks_back or any(_input(path, line, text) < 0 for text in fields[1::2])
    return Form(looks_back, frozenset(blocks))


def read(path: Path) -> Iterator[CellRow]:
    """The rows of a file, one at a time; it is read twice.

    Raises:
        CsvError: A row is none of such a file; the message gives line, what is there and what is expected.
        DiskError: It cannot be read.
    """
    looks_back = form(path).looks_back
    for line, fields in _lines(path):
        score = number_of(fields[0])
        if score is None:
            _fail(path, line, f"the score {_shown(fields[0])} is no finite number")
        terms = [
            f"{_source(path, line, place, source, looks_back)} {_operator(path, line, operator)}"
            for place, (source, operator) in enumerate(zip(fields[1::2], fields[2::2], strict=True))
        ]
        pairs = [f"({first}, {second})" for first, second in zip(terms[::2], terms[1::2], strict=True)]
        yield CellRow(line, score, f"cell[{', '.join(pairs)}]", len(pairs))


def fields_of(score: float, cell: Cell, *, looks_back: bool) -> list[object]:
    """A row as it is published. A cell that reads more than `h-1` needs a file that looks back (see `reads_more`)."""
    fields: list[object] = [score]
    for term in chain.from_iterable(cell.blocks):
        earlier = -(term.source + 1) if looks_back else 0
        fields += [earlier if term.block is None else term.block, _PUBLISHED[term.name]]
    return fields


def reads_more(cell: Cell) -> bool:
    """Whether a cell reads something besides `h-1`: files without a negative input cannot say so."""
    return any(term.source > 0 for term in chain.from_iterable(cell.blocks))


def write(run: Run, path: Path, _: Unit) -> int:
    """Write a run's trials that counted as a `train_history.csv`, in the order of their numbers; returns how many.

    Raises:
        StoreError: The run cannot be read, or the disk refuses.
    """
    from nasd import rooms  # noqa: PLC0415 - which this module is registered in
    from nasd.runs import changes  # noqa: PLC0415

    space = rooms.space(changes.config_of(run))
    trials: Sequence[Trial] = [trial for trial in run.trials() if trial.counted]
    pairs = [(trial.reward, space.parse(trial.net)) for trial in trials]
    return write_scores(path, pairs, looks_back=any(reads_more(cell) for _, cell in pairs))


def write_scores(path: Path, cells: Iterable[tuple[float, Cell]], *, looks_back: bool) -> int:
    """Write cells and their scores in the published form; returns how many. Raises StoreError."""
    return write_rows(path, (fields_of(score, cell, looks_back=looks_back) for score, cell in cells), "\r\n")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of every line that is not empty; each has a score and whole blocks."""
    previous = csv.field_size_limit(_MAX_FIELD)
    found = False
    with disk_errors(path, "read a CSV file"), path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for fields in reader:
                if fields:
                    _blocks(path, reader.line_num, fields)
                    found = True
                    yield reader.line_num, fields
        except (csv.Error, UnicodeError) as error:
            raise CsvError(f"{path}, line {reader.line_num + 1}: not a CSV file in UTF-8 ({error})") from error
        finally:
            csv.field_size_limit(previous)
    if not found:
        raise CsvError(f"{path} holds no cell: its rows are score,input,operator,input,operator,...")


def _blocks(path: Path, line: int, fields: Sequence[str]) -> int:
    blocks, rest = divmod(len(fields) - 1, 4)
    if rest or not 1 <= blocks <= MAX_BLOCKS:
        _fail(path, line, f"{len(fields)} fields, not a score and 4 for each of 1 to {MAX_BLOCKS} blocks")
    return blocks


def _input(path: Path, line: int, text: str) -> int:
    if not _INTEGER.match(text):
        _fail(path, line, f"the input {_shown(text)} is no integer from -{MAX_LOOKBACK} to {MAX_BLOCKS - 1}")
    return int(text)


def _source(path: Path, line: int, place: int, text: str, looks_back: bool) -> str:
    """`place` counts the terms of the row."""
    value, number = _input(path, line, text), place // 2 + 1
    if value < 0:
        return f"h-{-value}"
    if value == 0 and not looks_back:
        return "h-1"
    if value + 1 >= number:
        _fail(path, line, f"block {number} reads block {value + 1}, which does not come before it")
    return f"b{value + 1}"


def _operator(path: Path, line: int, text: str) -> str:
    found = NAMES.get(text.strip())
    if found is None:
        _fail(path, line, f"the operator {_shown(text)} is none of {', '.join(NAMES)}")
    return found


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _fail(path: Path, line: int, what: str) -> NoReturn:
    raise CsvError(f"{path}, line {line}: {what}")
