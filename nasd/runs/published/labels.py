"""Columns of a replay buffer that a data set of several labels per image has besides."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from nasd.outcome import Labels
from nasd.runs.published.replay import ReplayRow, rows_of
from store import Run


def columns(run: Run) -> dict[str, Callable[[ReplayRow], float | Sequence[float] | None]]:
    """What of each label is exported; nothing where the run has none."""
    first = next((row for row in rows_of(run) if row.metrics is not None), None)
    measured = None if first is None else _labels(first)
    if measured is None:
        return {}

    def score(split: Literal["validation", "test"], name: str, place: int) -> Callable[[ReplayRow], float | None]:
        def value(row: ReplayRow) -> float | None:
            scores = getattr(_labels(row), split, ())
            return getattr(scores[place], name) if scores else None

        return value

    found: dict[str, Callable[[ReplayRow], float | Sequence[float] | None]] = {
        "label_acc_val_all_epochs": lambda row: getattr(_labels(row), "validation_accuracies", ()),
        "label_acc_test_last": lambda row: getattr(_labels(row), "test_accuracy", None),
    }
    splits: tuple[tuple[str, Literal["validation", "test"]], ...] = (("val", "validation"), ("test", "test"))
    for short, split in splits:
        for place, label in enumerate(measured.validation):
            for name in ("accuracy", "precision", "recall", "f1"):
                found[f"{short}_{name}_{label.label}"] = score(split, name, place)
    return found


def _labels(row: ReplayRow) -> Labels | None:
    return None if row.metrics is None else msgspec.convert(row.metrics, Labels)
