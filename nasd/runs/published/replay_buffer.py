"""A run's replay buffer in the published columns, with further ones where images have several labels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from nasd.outcome import Labels, labels_in
from nasd.runs.published import replay
from nasd.runs.published.replay import ReplayRow, Unit, rows_of
from store import Run


def write(run: Run, path: Path, unit: Unit) -> int:
    """Write the rows in the order of observation, and return their number.

    Of a data set of several labels per image there are the mean accuracy over the labels (`label_acc_val_all_epochs`,
    `label_acc_test_last`) and of each label `val_accuracy_NAME`, `val_precision_NAME`, ..., `test_f1_NAME` besides.

    Raises:
        StoreError: The run cannot be read, or the disk refuses.
    """
    return replay.write(path, rows_of(run), unit=unit, more=_columns(run))


def _columns(run: Run) -> dict[str, Callable[[ReplayRow], float | Sequence[float] | None]]:
    """What of each label is exported; nothing where the run has none."""
    measured = next((labels for row in rows_of(run) if (labels := _labels(row)) is not None), None)
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
    return labels_in(row.metrics)
