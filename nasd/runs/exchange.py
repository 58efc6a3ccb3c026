"""CSV files in the published columns, out of a run and into a new one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from nasd import __version__
from nasd import config as configuration
from nasd.config import Config
from nasd.errors import NasdError
from nasd.export.place import unfinished
from nasd.outcome import Labels
from nasd.strategies.qlearning.strategy import QLearning
from nasd.spaces.base import GrammarError
from nasd.spaces.layers import Architecture, SearchSpace, State
from store import Delta, QUpdate, Run, Trial, csv

Table = Literal["replay_buffer", "q_values"]


def export(run: Run, what: Table, path: Path, *, unit: csv.Unit = "fraction") -> int:
    """Write one of the two published files; returns its number of rows.

    The Q-values list every action of every state that was updated, untouched ones with their initial value: the
    published code takes what a file does not list not to exist. The replay buffer of a search on images with several
    labels has further columns: the mean accuracy over the labels (`label_acc_val_all_epochs`, `label_acc_test_last`),
    and of each label `val_accuracy_NAME`, `val_precision_NAME`, ..., `test_f1_NAME`.

    Raises:
        NasdError: Another export is writing the same file.
        StoreError: The disk refuses.
    """
    with unfinished(path, replace=True) as whole:
        if what == "replay_buffer":
            return csv.write_replay(whole, csv.replay_rows(run), unit=unit, more=_label_columns(run))
        return csv.write_q(whole, _q_rows(run))


def _label_columns(run: Run) -> dict[str, Callable[[csv.ReplayRow], float | Sequence[float] | None]]:
    """What of each label is exported; nothing where the run has none."""
    first = next((row for row in csv.replay_rows(run) if row.metrics is not None), None)
    measured = None if first is None else _labels(first)
    if measured is None:
        return {}

    def score(split: Literal["validation", "test"], name: str, place: int) -> Callable[[csv.ReplayRow], float | None]:
        def value(row: csv.ReplayRow) -> float | None:
            scores = getattr(_labels(row), split, ())
            return getattr(scores[place], name) if scores else None

        return value

    columns: dict[str, Callable[[csv.ReplayRow], float | Sequence[float] | None]] = {
        "label_acc_val_all_epochs": lambda row: getattr(_labels(row), "validation_accuracies", ()),
        "label_acc_test_last": lambda row: getattr(_labels(row), "test_accuracy", None),
    }
    splits: tuple[tuple[str, Literal["validation", "test"]], ...] = (("val", "validation"), ("test", "test"))
    for short, split in splits:
        for place, label in enumerate(measured.validation):
            for name in ("accuracy", "precision", "recall", "f1"):
                columns[f"{short}_{name}_{label.label}"] = score(split, name, place)
    return columns


def _labels(row: csv.ReplayRow) -> Labels | None:
    return None if row.metrics is None else msgspec.convert(row.metrics, Labels)


def _q_rows(run: Run) -> Iterator[csv.QRow]:
    config = configuration.parse(run.config)
    space, checkpoint = SearchSpace(config.space), run.checkpoint()
    values = {
        (checkpoint.states[state], checkpoint.states[action]): value
        for (state, action), value in zip(checkpoint.transitions, checkpoint.q_values, strict=True)
    }
    for before in dict.fromkeys(state for state, _ in values):
        for action in space.actions(State(*before)):  # type: ignore[arg-type] # a stored state is one of ours
            yield csv.QRow(before, action, values.get((before, action), config.initial_q))


def create_from_csv(config: Config, directory: Path, replay: Path, q_values: Path | None, counted: int | None) -> int:
    """Make a run that goes on where a published search stood.

    Args:
        config: Settled, of the same search space.
        directory: Of the new run.
        replay: The replay buffer's CSV.
        q_values: The Q-values' CSV; without it they are learned anew from the replay buffer's rows, in their order.
        counted: The position in the epsilon schedule; None: the rows with reward above 0.

    Returns:
        How many trials were taken over.

    Raises:
        CsvError: A file is not what it should be.
        NasdError: A row does not fit the search space.
        StoreError: The directory is taken, or the disk refuses.
    """
    space = SearchSpace(config.space)
    strategy = QLearning(config, space)
    rows = csv.read_replay(replay)
    architectures = [(_architecture(space, replay, number, row.net), row.reward) for number, row in enumerate(rows, 1)]
    table = {} if q_values is None else _q_values(q_values)
    try:
        updates = strategy.import_rows(architectures, table, counted)
    except ValueError as error:
        raise NasdError(f"{replay} does not fit this search space: {error}") from error
    with Run.create(directory, configuration.dump(config), name=config.name, version=__version__) as run:
        for row, update in zip(rows, updates, strict=True):
            original = update.duplicate_of is not None
            trial = Trial(
                number=update.number,
                order=update.number,
                net=str(architectures[update.number - 1][0]),
                status="duplicate" if original else _status(row),
                epsilon=row.epsilon,
                reward=update.reward,
                counted=update.counted,
                duplicate_of=update.duplicate_of,
                reason="imported without training" if not original and _status(row) == "infeasible" else None,
                validation_accuracies=() if original else row.validation_accuracies,
                train_accuracies=() if original else row.train_accuracies,
                test_accuracy=None if original else row.test_accuracy,
                imported=True,
            )
            change = QUpdate(update.path, update.states, update.transitions, update.q_ids, update.q_values)
            run.commit(Delta(trial=trial, update=change, position=strategy.position()))
    return len(rows)


def _status(row: csv.ReplayRow) -> Literal["evaluated", "early_stopped", "infeasible"]:
    if row.trained:
        return "evaluated"
    return "early_stopped" if row.reward > 0 else "infeasible"


def _architecture(space: SearchSpace, path: Path, number: int, net: str) -> Architecture:
    try:
        return space.parse(net)
    except GrammarError as error:
        raise NasdError(f"{path}, row {number}: {error}") from error


def _q_values(path: Path) -> dict[tuple[State, State], float]:
    return {
        (State(*row.state), State(*row.action)): row.value  # type: ignore[arg-type] # checked by import_rows
        for row in csv.read_q(path)
    }
