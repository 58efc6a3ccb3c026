"""Tables in CSV: written whole or not at all, read with an exact word for what is wrong."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NoReturn

from nasd.errors import NasdError
from store import files
from store.errors import disk_errors


class CsvError(NasdError):
    """A CSV file that cannot be read. The message gives file, line and column, what is there and what is expected."""


MAX_BYTES = 512 << 20
MAX_EPOCHS = 100_000
_MAX_CELL = 4 << 20  # characters; MAX_EPOCHS floats of full length and the commas between
_MAX_INTEGER = 2**31 - 1

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z", re.ASCII)
_SPLIT = re.compile(r"\s*,\s*")
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_BLANKS = {"", "nan", "NaN", "None"}


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a file, by column name, and the words for what is wrong with it."""

    path: Path
    line: int
    cells: dict[str, str]

    def fail(self, column: str, expected: str) -> NoReturn:
        """Raise a CsvError about a cell, saying what was expected."""
        text = self.cells[column]
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise CsvError(f"{self.path}, line {self.line}, column {column}: {shown!r} is not {expected}")

    def number(self, column: str, expected: str, lowest: float = -math.inf, highest: float = math.inf) -> float:
        """A finite number within bounds. Raises CsvError."""
        value = number_of(self.cells[column])
        if value is None or not lowest <= value <= highest:
            self.fail(column, expected)
        return value

    def accuracy(self, column: str) -> float | None:
        """An accuracy from 0 to 100; None if it was not taken. Raises CsvError."""
        if self.cells.get(column, "").strip() in _BLANKS:
            return None
        value = self.number(column, "an accuracy from 0 to 100, or -1")
        if value == -1:
            return None
        if not 0 <= value <= 100:
            self.fail(column, "an accuracy from 0 to 100, or -1")
        return value

    def accuracies(self, column: str) -> tuple[float, ...]:
        """A list of accuracies, empty if none was taken. Raises CsvError."""
        text = self.cells.get(column, "").strip()
        if text in _BLANKS or text == "-1":
            return ()
        expected = "a list of accuracies such as [0.1, 0.25]"
        if not (text.startswith("[") and text.endswith("]")):
            self.fail(column, expected)
        inside = text[1:-1].strip()
        if not inside:
            return ()
        if inside.count(",") >= MAX_EPOCHS:
            self.fail(column, f"a list of at most {MAX_EPOCHS:,} accuracies")
        values = []
        for part in _SPLIT.split(inside):
            value = number_of(part)
            if value is None or not 0 <= value <= 100:
                self.fail(column, expected)
            values.append(value)
        return tuple(values)

    def flag(self, column: str) -> bool:
        """True or False. Raises CsvError."""
        found = _FLAGS.get(self.cells[column].strip().lower())
        if found is None:
            self.fail(column, "True or False")
        return found

    def integer(self, column: str, highest: int = _MAX_INTEGER) -> int:
        """A whole number from 0. Raises CsvError."""
        expected = f"a whole number from 0 to {highest}"
        value = self.number(column, expected, 0, highest)
        if value != int(value):
            self.fail(column, expected)
        return int(value)


def number_of(text: str) -> float | None:
    """A finite number as a person or pandas writes it; None for all else, such as `1_0`, `inf` or `nan`."""
    stripped = text.strip()
    if len(stripped) > 400 or not _NUMBER.match(stripped):
        return None
    value = float(stripped)
    return value if math.isfinite(value) else None


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a table and return its number of rows. The file appears whole or not at all, in place of an old one.

    Raises:
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    return write_rows(path, chain([header], rows)) - 1


def write_rows(path: Path, rows: Iterable[Sequence[object]], line_end: str = "\n") -> int:
    """As `write`, of a file without a header."""
    with disk_errors(path, "write a CSV file"):
        temporary = files.temporary_beside(path)
        try:
            count = 0
            with temporary.open("x", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator=line_end)
                for row in rows:
                    writer.writerow(row)
                    count += 1
            files.sync(temporary)
            files.publish(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return count


def records(
    path: Path,
    columns: Sequence[str],
    other_names: Mapping[str, str] | None = None,
    optional: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """Read a table line by line.

    Args:
        path: The file.
        columns: Those that are read; others are skipped.
        other_names: What a column may be called besides, and what it is.
        optional: Columns that may be missing where the named other column is there.

    Raises:
        CsvError: The file is not such a table.
        DiskError: It cannot be read.
    """
    with disk_errors(path, "read a CSV file"):
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CsvError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} are read")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _parse(path, stream, columns, other_names or {}, optional or {})


def _parse(
    path: Path,
    stream: io.TextIOBase,
    columns: Sequence[str],
    other_names: Mapping[str, str],
    optional: Mapping[str, str],
) -> Iterator[Record]:
    previous = csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(stream, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise CsvError(f"{path} is empty; it needs the columns {','.join(columns)}")
        found = [name.strip() for name in header]
        names = [other_names.get(name, name) for name in found]
        columns = [name for name in columns if name in names or optional.get(name) not in found]
        missing = [name for name in columns if name not in names]
        repeated = sorted({name for name in columns if names.count(name) > 1})
        if missing or repeated:
            what = f"lacks {', '.join(missing)}" if missing else f"repeats {', '.join(repeated)}"
            raise CsvError(f"{path}, line 1: the header {what}; it needs the columns {','.join(columns)}")
        places = [(name, names.index(name)) for name in columns]
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise CsvError(f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(names)}")
            yield Record(path, reader.line_num, {name: cells[place] for name, place in places})
    except (csv.Error, UnicodeError) as error:
        raise CsvError(f"{path}, line {reader.line_num + 1}: not a CSV file in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(previous)
