"""CSV in and out, in the columns of the published code (DP-NAS, CODEBRIM MetaQNN).

Units. `reward` is a fraction in every file. The accuracy columns are percentages in files of the published DP-NAS code
and fractions in ours; on the way in they become fractions. Which of the two a file holds is told by its values: it is
percentages if one is above 1 and each row's reward is at most its best accuracy divided by 100. Everything else is
fractions, and a value above 1 is then a fault.

Files of the published CODEBRIM code are read as well: their `hard_val_all_epochs` and `hard_best_val` (all labels of an
image right) are the accuracies; they have no training and test accuracies, and their states no padding, which is 1 in
residual blocks and 0 else.

Quirks of the published files that are taken: an unnamed index column in front, `True`/`False` in `train_flag`, lists
written as Python writes them. A trial that was not evaluated is `False,0,0,[0],[0],0` there and a test accuracy that
was not taken is 0 (some tools write -1, or nothing); all of these are read as missing, and written as published.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

from store import files
from store.errors import CsvError, disk_errors
from store.records import StateTuple, Trial

if TYPE_CHECKING:
    from store.run import Run

Unit = Literal["fraction", "percent"]

REPLAY_COLUMNS = (
    "epsilon",
    "net",
    "train_flag",
    "reward",
    "acc_best_val",
    "acc_val_all_epochs",
    "acc_train_all_epochs",
    "acc_test_last",
)
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
Q_COLUMNS = (*(f"start_{name}" for name in _FIELDS), *(f"end_{name}" for name in _FIELDS), "utility")

_CODEBRIM = {"hard_best_val": "acc_best_val", "hard_val_all_epochs": "acc_val_all_epochs"}
# What CODEBRIM's files do not have, and by which column of theirs they are told.
_NOT_IN_CODEBRIM = {
    "acc_train_all_epochs": "hard_val_all_epochs",
    "acc_test_last": "hard_val_all_epochs",
    "start_padding": "start_layer_type",
    "end_padding": "end_layer_type",
}

MAX_BYTES = 512 << 20
MAX_EPOCHS = 100_000
_MAX_NET = 20_000  # characters
_MAX_CELL = 4 << 20  # characters; MAX_EPOCHS floats of full length and the commas between
_MAX_INTEGER = 2**31 - 1

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z", re.ASCII)
_SPLIT = re.compile(r"\s*,\s*")
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_BLANKS = {"", "nan", "NaN", "None"}
_UNPADDED = tuple(name for name in _FIELDS[1:-1] if name != "padding")
_WORD = re.compile(r"[a-z_]{1,32}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRow:
    """One row of a replay buffer. Everything is a fraction."""

    epsilon: float
    net: str
    trained: bool  # false: stopped early, infeasible, or failed
    reward: float
    best_validation: float | None = None
    validation_accuracies: tuple[float, ...] = ()
    train_accuracies: tuple[float, ...] = ()
    test_accuracy: float | None = None
    metrics: dict[str, Any] | None = None  # a `Trial`'s; neither read nor written unless asked for


@dataclass(frozen=True, slots=True)
class QRow:
    """One Q-value: taking `action` (the state that it leads to) in `state`."""

    state: StateTuple
    action: StateTuple
    value: float


# --- out ------------------------------------------------------------------------------------------------------------


def write_replay(
    path: Path,
    rows: Iterable[ReplayRow],
    *,
    unit: Unit = "fraction",
    more: Mapping[str, Callable[[ReplayRow], float | Sequence[float] | None]] | None = None,
) -> int:
    """Write a replay buffer. The file appears whole or not at all.

    Args:
        path: Replaced if it exists.
        rows: In the order of observation.
        unit: Of the accuracy columns; `percent` for going on with the published DP-NAS code.
        more: Columns behind the published ones, and the fractions that they hold; None is an empty cell.

    Returns:
        The number of rows.

    Raises:
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    scale = 100.0 if unit == "percent" else 1.0
    further = more or {}

    def cell(value: float | Sequence[float] | None) -> object:
        if value is None:
            return ""
        return value * scale if isinstance(value, float) else _list(value, scale)

    def cells(number: int, row: ReplayRow) -> tuple[object, ...]:
        return (
            number,
            row.epsilon,
            row.net,
            row.trained,
            row.reward,
            (row.best_validation or 0) * scale,
            _list(row.validation_accuracies, scale),
            _list(row.train_accuracies, scale),
            (row.test_accuracy or 0) * scale,
            *(cell(value(row)) for value in further.values()),
        )

    return _write(path, ("", *REPLAY_COLUMNS, *further), (cells(number, row) for number, row in enumerate(rows)))


def write_q(path: Path, rows: Iterable[QRow]) -> int:
    """Write Q-values. Arguments and errors as `write_replay`.

    The published code takes a state that it finds in the file to have the listed actions and no others: for going on
    there, give the untouched actions of every state too, with their initial value.
    """
    return _write(path, Q_COLUMNS, ((*row.state, *row.action, row.value) for row in rows))


def replay_rows(run: "Run") -> Iterator[ReplayRow]:
    """A run's replay buffer, in the order of observation. A duplicate repeats its original's row, as published."""
    for trial, _ in run.updates():
        source = trial
        if trial.duplicate_of is not None and not trial.validation_accuracies:
            source = run.trial(trial.duplicate_of) or trial
        yield _replay_row(trial, source)


def _replay_row(trial: Trial, source: Trial) -> ReplayRow:
    return ReplayRow(
        epsilon=trial.epsilon,
        net=trial.net,
        trained=source.status == "evaluated",
        reward=trial.reward,
        best_validation=source.best_validation,
        validation_accuracies=source.validation_accuracies,
        train_accuracies=source.train_accuracies,
        test_accuracy=source.test_accuracy,
        metrics=source.metrics,
    )


def q_rows(
    states: Sequence[StateTuple], transitions: Sequence[tuple[int, int]], values: Sequence[float]
) -> Iterator[QRow]:
    """The Q-values of a `Checkpoint`."""
    for (state, action), value in zip(transitions, values, strict=True):
        yield QRow(states[state], states[action], value)


def _list(values: Sequence[float], scale: float) -> str:
    # The shortest text that gives the same number back; `[0]` is how the published code writes "not evaluated".
    return "[" + ", ".join(repr(float(value * scale)) for value in values) + "]" if values else "[0]"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    with disk_errors(path, "write a CSV file"):
        temporary = files.temporary_beside(path)
        try:
            count = 0
            with temporary.open("x", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(header)
                for row in rows:
                    writer.writerow(row)
                    count += 1
            files.sync(temporary)
            files.publish(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return count


# --- in -------------------------------------------------------------------------------------------------------------


def read_replay(path: Path, *, unit: Unit | None = None) -> list[ReplayRow]:
    """Read a replay buffer.

    Args:
        path: The file.
        unit: Of the accuracy columns; told by their largest value unless given.

    Raises:
        CsvError: The file is not one; the message gives line, column, what is there and what is expected.
        DiskError: It cannot be read.
    """
    if unit is not None and unit not in get_args(Unit):
        raise ValueError(f"{unit!r} is no unit; choose from {', '.join(get_args(Unit))}")
    found = [_parse_replay(record) for record in _records(path, REPLAY_COLUMNS)]
    if unit is None:
        unit = _told_unit([row for _, row in found])
    return [_in_fractions(record, row, unit) for record, row in found]


def read_q(path: Path) -> list[QRow]:
    """Read Q-values. Errors as `read_replay`."""
    rows = []
    seen: dict[tuple[StateTuple, StateTuple], int] = {}
    for record in _records(path, Q_COLUMNS):
        state, action = record.state("start"), record.state("end")
        row = QRow(state, action, record.number("utility", "a number"))
        # The published code lists a 1x1 convolution twice; its second copy never learns, so the first one is meant.
        if (state, action) not in seen:
            rows.append(row)
        seen[state, action] = record.line
    return rows


@dataclass(frozen=True, slots=True)
class _Record:
    """One line of a file, by column name, and the words for what is wrong with it."""

    path: Path
    line: int
    cells: dict[str, str]

    def fail(self, column: str, expected: str) -> NoReturn:
        text = self.cells[column]
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise CsvError(f"{self.path}, line {self.line}, column {column}: {shown!r} is not {expected}")

    def number(self, column: str, expected: str, lowest: float = -math.inf, highest: float = math.inf) -> float:
        value = _float(self.cells[column])
        if value is None or not lowest <= value <= highest:
            self.fail(column, expected)
        return value

    def accuracy(self, column: str) -> float | None:
        if self.cells.get(column, "").strip() in _BLANKS:
            return None
        value = self.number(column, "an accuracy from 0 to 100, or -1")
        if value == -1:
            return None
        if not 0 <= value <= 100:
            self.fail(column, "an accuracy from 0 to 100, or -1")
        return value

    def accuracies(self, column: str) -> tuple[float, ...]:
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
            value = _float(part)
            if value is None or not 0 <= value <= 100:
                self.fail(column, expected)
            values.append(value)
        return tuple(values)

    def flag(self, column: str) -> bool:
        found = _FLAGS.get(self.cells[column].strip().lower())
        if found is None:
            self.fail(column, "True or False")
        return found

    def integer(self, column: str, highest: int = _MAX_INTEGER) -> int:
        expected = f"a whole number from 0 to {highest}"
        value = self.number(column, expected, 0, highest)
        if value != int(value):
            self.fail(column, expected)
        return int(value)

    def state(self, end: str) -> StateTuple:
        kind = self.cells[f"{end}_layer_type"].strip()
        if not _WORD.match(kind):
            self.fail(f"{end}_layer_type", "a layer type such as conv")
        padding = self.integer(f"{end}_padding") if f"{end}_padding" in self.cells else int(kind == "wrn")
        depth, filters, size, stride, image, fc = (self.integer(f"{end}_{name}") for name in _UNPADDED)
        return (kind, depth, filters, size, stride, padding, image, fc, self.integer(f"{end}_terminate", 1))


def _float(text: str) -> float | None:
    """A finite number as a person or pandas writes it; None for all else, such as `1_0`, `inf` or `nan`."""
    stripped = text.strip()
    if len(stripped) > 400 or not _NUMBER.match(stripped):
        return None
    value = float(stripped)
    return value if math.isfinite(value) else None


def _parse_replay(record: _Record) -> tuple[_Record, ReplayRow]:
    net = record.cells["net"].strip()
    if not (net.startswith("[") and net.endswith("]") and len(net) <= _MAX_NET and net.isprintable()):
        record.fail("net", "an architecture such as [C(32,5,1,2,1), SM(10)]")
    row = ReplayRow(
        epsilon=record.number("epsilon", "a number from 0 to 1", 0, 1),
        net=net,
        trained=record.flag("train_flag"),
        reward=record.number("reward", "a fraction from 0 to 1", 0, 1),
        best_validation=record.accuracy("acc_best_val"),
        validation_accuracies=record.accuracies("acc_val_all_epochs"),
        train_accuracies=record.accuracies("acc_train_all_epochs"),
        test_accuracy=record.accuracy("acc_test_last"),
    )
    return record, row


def _accuracies(row: ReplayRow) -> Iterator[tuple[str, float]]:
    for value in row.validation_accuracies:
        yield "acc_val_all_epochs", value
    for value in row.train_accuracies:
        yield "acc_train_all_epochs", value
    if row.best_validation is not None:
        yield "acc_best_val", row.best_validation
    if row.test_accuracy is not None:
        yield "acc_test_last", row.test_accuracy


def _told_unit(rows: Sequence[ReplayRow]) -> Unit:
    """Percentages, if any accuracy is above 1 and no reward, a mean of validation accuracies, is above its best one."""
    above = any(value > 1 for row in rows for _, value in _accuracies(row))
    fitting = all(
        row.reward <= max(row.validation_accuracies) / 100 + 1e-6 for row in rows if row.validation_accuracies
    )
    return "percent" if above and fitting else "fraction"


def _in_fractions(record: _Record, row: ReplayRow, unit: Unit) -> ReplayRow:
    if unit == "fraction":
        for column, value in _accuracies(row):
            if value > 1:
                record.fail(column, "made of fractions from 0 to 1")
    scale = 100.0 if unit == "percent" else 1.0
    evaluated = row.trained or row.reward > 0 or any(row.validation_accuracies)
    return ReplayRow(
        epsilon=row.epsilon,
        net=row.net,
        trained=row.trained,
        reward=row.reward,
        best_validation=row.best_validation / scale if evaluated and row.best_validation is not None else None,
        validation_accuracies=tuple(value / scale for value in row.validation_accuracies) if evaluated else (),
        train_accuracies=tuple(value / scale for value in row.train_accuracies) if evaluated else (),
        # An architecture that was stopped early was never tested; the published code says 0.
        test_accuracy=row.test_accuracy / scale if row.trained and row.test_accuracy is not None else None,
    )


def _records(path: Path, columns: Sequence[str]) -> Iterator[_Record]:
    with disk_errors(path, "read a CSV file"):
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CsvError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} are read")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _parse(path, stream, columns)


def _parse(path: Path, stream: io.TextIOBase, columns: Sequence[str]) -> Iterator[_Record]:
    previous = csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(stream, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise CsvError(f"{path} is empty; it needs the columns {','.join(columns)}")
        found = [name.strip() for name in header]
        names = [_CODEBRIM.get(name, name) for name in found]
        columns = [name for name in columns if name in names or _NOT_IN_CODEBRIM.get(name) not in found]
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
            yield _Record(path, reader.line_num, {name: cells[place] for name, place in places})
    except (csv.Error, UnicodeError) as error:
        raise CsvError(f"{path}, line {reader.line_num + 1}: not a CSV file in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(previous)
