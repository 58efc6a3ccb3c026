"""Replay buffers in the columns of the published code (DP-NAS, CODEBRIM MetaQNN).

Units. `reward` is a fraction in every file. The accuracy columns are percentages in files of the published DP-NAS code
and fractions in ours; on the way in they become fractions. Which of the two a file holds is told by its values: it is
percentages if one is above 1 and each row's reward is at most its best accuracy divided by 100. Everything else is
fractions, and a value above 1 is then a fault.

Files of the published CODEBRIM code are read as well: their `hard_val_all_epochs` and `hard_best_val` (all labels of an
image right) are the accuracies; they have no training and test accuracies.

Quirks of the published files that are taken: an unnamed index column in front, `True`/`False` in `train_flag`, lists
written as Python writes them. A trial that was not evaluated is `False,0,0,[0],[0],0` there and a test accuracy that
was not taken is 0 (some tools write -1, or nothing); all of these are read as missing, and written as published.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from nasd.runs.published import table
from nasd.runs.published.table import Record
from store import Run, Trial

Unit = Literal["fraction", "percent"]

COLUMNS = (
    "epsilon",
    "net",
    "train_flag",
    "reward",
    "acc_best_val",
    "acc_val_all_epochs",
    "acc_train_all_epochs",
    "acc_test_last",
)
_CODEBRIM = {"hard_best_val": "acc_best_val", "hard_val_all_epochs": "acc_val_all_epochs"}
# What CODEBRIM's files do not have, and by which column of theirs they are told.
_NOT_IN_CODEBRIM = {"acc_train_all_epochs": "hard_val_all_epochs", "acc_test_last": "hard_val_all_epochs"}
_MAX_NET = 20_000  # characters


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


def write(
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

    return table.write(path, ("", *COLUMNS, *further), (cells(number, row) for number, row in enumerate(rows)))


def rows_of(run: Run) -> Iterator[ReplayRow]:
    """A run's replay buffer, in the order of observation. A duplicate repeats its original's row, as published."""
    for trial in run.observed():
        source = trial
        if trial.duplicate_of is not None and not trial.validation_accuracies:
            source = run.trial(trial.duplicate_of) or trial
        yield _replay_row(trial, source)


def _replay_row(trial: Trial, source: Trial) -> ReplayRow:
    return ReplayRow(
        epsilon=float(trial.facts.get("epsilon", 0.0)),
        net=trial.net,
        trained=source.status == "evaluated",
        reward=trial.reward,
        best_validation=source.best_validation,
        validation_accuracies=source.validation_accuracies,
        train_accuracies=source.train_accuracies,
        test_accuracy=source.test_accuracy,
        metrics=source.metrics,
    )


def _list(values: Sequence[float], scale: float) -> str:
    # The shortest text that gives the same number back; `[0]` is how the published code writes "not evaluated".
    return "[" + ", ".join(repr(float(value * scale)) for value in values) + "]" if values else "[0]"


def read(path: Path, *, unit: Unit | None = None) -> list[ReplayRow]:
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
    found = [_parse(record) for record in table.records(path, COLUMNS, _CODEBRIM, _NOT_IN_CODEBRIM)]
    if unit is None:
        unit = _told_unit([row for _, row in found])
    return [_in_fractions(record, row, unit) for record, row in found]


def _parse(record: Record) -> tuple[Record, ReplayRow]:
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
    """Percentages, if any accuracy is above 1 and no reward, a mean of validation accuracies, is above its best one.

    The reward of an architecture that was stopped early may be an estimate, above all that was measured.
    """
    above = any(value > 1 for row in rows for _, value in _accuracies(row))
    fitting = all(
        row.reward <= max(row.validation_accuracies) / 100 + 1e-6
        for row in rows
        if row.trained and row.validation_accuracies
    )
    return "percent" if above and fitting else "fraction"


def _in_fractions(record: Record, row: ReplayRow, unit: Unit) -> ReplayRow:
    if unit == "fraction":
        for column, value in _accuracies(row):
            if value > 1:
                record.fail(column, "made of fractions from 0 to 1")
    scale = 100.0 if unit == "percent" else 1.0
    evaluated = row.trained or any(row.validation_accuracies)
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
