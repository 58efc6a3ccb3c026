"""A search that was begun with the published code goes on here: its CSV files become a new run."""

from pathlib import Path
from typing import Literal

from nasd import __version__, rooms
from nasd import config as configuration
from nasd.config import Config
from nasd.errors import NasdError
from nasd.runs.published import cells, q_values, replay
from nasd.spaces.base import GrammarError
from nasd.spaces.cells import CellSpace
from nasd.spaces.layers import Architecture, SearchSpace, State
from nasd.strategies.base import Observed, Strategy
from nasd.strategies.pnas.strategy import PNAS
from nasd.strategies.pnas.strategy import stage_label as level_label
from nasd.strategies.qlearning.schedule import stage_label
from nasd.strategies.qlearning.strategy import QLearning
from store import Delta, Learned, Run, Trial


def create_from_csv(config: Config, directory: Path, buffer: Path, table: Path | None, counted: int | None) -> int:
    """Make a run that goes on where a published search stood.

    Args:
        config: Settled, of the same search space.
        directory: Of the new run.
        buffer: The replay buffer's CSV.
        table: The Q-values' CSV; without it they are learned anew from the replay buffer's rows, in their order.
        counted: The position in the epsilon schedule; None: the rows with reward above 0.

    Returns:
        How many trials were taken over.

    Raises:
        CsvError: A file is not what it should be.
        NasdError: A row does not fit the search space, or the config's strategy is another.
        StoreError: The directory is taken, or the disk refuses.
    """
    space = rooms.space(config)
    strategy = rooms.strategy(config, space)
    if not (isinstance(strategy, QLearning) and isinstance(space, SearchSpace)):
        raise NasdError("a published replay buffer is of Q-learning over layers: set search.strategy to qlearning")
    rows = replay.read(buffer)
    architectures = [(_architecture(space, buffer, number, row.net), row.reward) for number, row in enumerate(rows, 1)]
    try:
        taken = strategy.import_rows(architectures, {} if table is None else _q_values(table), counted)
    except ValueError as error:
        raise NasdError(f"{buffer} does not fit this search space: {error}") from error
    with Run.create(directory, configuration.dump(config), name=config.name, version=__version__) as run:
        for number, (row, observed) in enumerate(zip(rows, taken, strict=True), 1):
            original = observed.duplicate_of is not None
            trial = Trial(
                number=number,
                order=number,
                net=str(architectures[number - 1][0]),
                status="duplicate" if original else _status(row),
                stage=stage_label(row.epsilon),
                facts={"epsilon": row.epsilon},
                reward=observed.reward,
                counted=observed.counted,
                duplicate_of=observed.duplicate_of,
                reason="imported without training" if not original and _status(row) == "infeasible" else None,
                validation_accuracies=() if original else row.validation_accuracies,
                train_accuracies=() if original else row.train_accuracies,
                test_accuracy=None if original else row.test_accuracy,
                imported=True,
            )
            _commit(run, trial, observed, strategy)
    return len(rows)


def create_from_history(config: Config, directory: Path, history: Path) -> int:
    """Make a run that goes on where a published progressive search stood.

    All rows are its trials, in their order: runs that were appended to one file are one search. A cell that comes again
    is a duplicate with a reward of its own. The last level is filled up by those that a surrogate ranks best.

    Args:
        config: Settled, of the same search space.
        directory: Of the new run.
        history: A `train_history.csv`; scores are predictions, of which nothing is known.

    Returns:
        How many trials were taken over.

    Raises:
        CsvError: The file is not what it should be.
        NasdError: A row does not fit the search space, or the config's strategy is another.
        StoreError: The directory is taken, or the disk refuses.
    """
    space = rooms.space(config)
    strategy = rooms.strategy(config, space)
    if not (isinstance(strategy, PNAS) and isinstance(space, CellSpace)):
        raise NasdError("a history of cells is of progressive search: set search.strategy to pnas")
    rows = []
    for row in cells.read(history):
        if not 0 <= row.score <= 1:
            raise NasdError(f"{history}, line {row.line}: the accuracy {row.score:g} is not from 0 to 1")
        try:
            rows.append((space.canonical(row.net), row.score))
        except GrammarError as error:
            raise NasdError(f"{history}, line {row.line}: {error}") from error
    try:
        taken = strategy.import_rows(rows)
    except ValueError as error:
        raise NasdError(f"{history} does not fit this search: {error}") from error
    with Run.create(directory, configuration.dump(config), name=config.name, version=__version__) as run:
        for number, ((net, _), observed) in enumerate(zip(rows, taken, strict=True), 1):
            blocks = net.count("(")
            trial = Trial(
                number=number,
                order=number,
                net=net,
                status="duplicate" if observed.duplicate_of is not None else "evaluated",
                stage=level_label(blocks),
                facts={"level": blocks},
                reward=observed.reward,
                counted=observed.counted,
                duplicate_of=observed.duplicate_of,
                validation_accuracies=(observed.reward,) if observed.duplicate_of is None else (),
                imported=True,
            )
            _commit(run, trial, observed, strategy)
    return len(rows)


def _commit(run: Run, trial: Trial, observed: Observed, strategy: Strategy) -> None:
    learned = Learned(observed.learned.payload) if observed.learned else None
    run.commit(Delta(trial=trial, learned=learned, position=strategy.position()))


def _status(row: replay.ReplayRow) -> Literal["evaluated", "early_stopped", "infeasible"]:
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
        for row in q_values.read(path)
    }
