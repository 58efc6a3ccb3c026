"""`nasd verify`: the run is a pure function of its config, its seed and its rewards; replay it and compare."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nasd import config as configuration
from nasd.errors import NasdError
from nasd.outcome import Evaluated, Failed, Outcome
from nasd.strategies.base import Proposal, SearchFinishedError, Update
from nasd.strategies.qlearning.strategy import QLearning
from nasd.spaces.layers import SearchSpace, State
from store import DamagedError, QUpdate, Run, Trial, verify
from store.verify import Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of a run."""

    trials: int  # that were replayed, and agree
    digest: str | None  # None: the database cannot be read
    problems: tuple[Problem, ...]


def examine(run: Run) -> Report:
    """Check every file, and replay every trial. Damage is a problem in the report, not an error.

    Raises:
        DiskError: Something could not be read at all.
    """
    problems, replayed, digest = verify.check(run), 0, None
    if not any(problem.where == "run.db" for problem in problems):  # else there is nothing to trust a replay with
        try:
            for _ in replay(run):
                replayed += 1
        except NasdError as error:
            problems.append(Problem("replay", str(error)))
    with contextlib.suppress(DamagedError):
        digest = verify.digest(run)
    return Report(replayed, digest, tuple(problems))


class MismatchError(NasdError):
    """The replay gives something else than what is stored; the message names the first trial where it does."""


def replay(run: Run) -> Iterator[int]:
    """Make all the calls on the strategy that the daemon made, and compare each answer with the stored one bit by bit.

    Yields:
        The number of each trial that agrees, in the order of observation.

    Raises:
        MismatchError: A trial or the final position does not agree.
        StoreError: The run cannot be read.
    """
    config = configuration.parse(run.config, source=str(run.path / "config.yaml"))
    strategy = QLearning(config, SearchSpace(config.space))
    checkpoint = run.checkpoint()
    position, stored = checkpoint.position, run.updates(last=checkpoint.trials)  # the search may go on meanwhile
    imported = list(_imported(run))
    if imported:
        yield from _replay_imported(strategy, imported, run.position(len(imported)))
    open_proposals: dict[int, Proposal] = {}
    if position is not None and (checkpoint.trials > len(imported) or checkpoint.open):
        _propose(strategy, open_proposals, config.search.lookahead or 1)
    for trial, update in stored:
        if trial.imported:
            continue
        proposal = open_proposals.pop(trial.number, None)
        _compare(trial, update, proposal, strategy)
        if not strategy.finished:
            _propose(strategy, open_proposals, 1)
        yield trial.number
    if position is not None and position != strategy.position():
        raise MismatchError(f"{run.path}: the stored position is {position}, the replay ends at {strategy.position()}")


def _imported(run: Run) -> Iterator[tuple[Trial, QUpdate]]:
    """The trials that were imported, which are the first ones."""
    for trial, update in run.updates():
        if not trial.imported:
            return
        yield trial, update


def _propose(strategy: QLearning, open_proposals: dict[int, Proposal], count: int) -> None:
    try:
        for _ in range(count):
            proposal = strategy.propose()
            open_proposals[proposal.number] = proposal
    except SearchFinishedError:
        return


def _compare(trial: Trial, stored: QUpdate, proposal: Proposal | None, strategy: QLearning) -> None:
    if proposal is None:
        raise MismatchError(f"trial {trial.number} was not open when it was observed")
    if (str(proposal.architecture), proposal.epsilon) != (trial.net, trial.epsilon):
        raise MismatchError(
            f"trial {trial.number} is stored as {trial.net} at epsilon {trial.epsilon}, the replay proposes "
            f"{proposal.architecture} at epsilon {proposal.epsilon}"
        )
    try:
        again = strategy.observe(proposal, _outcome(trial, proposal))
    except ValueError as error:
        raise MismatchError(f"trial {trial.number} cannot have been observed where it was: {error}") from error
    if (again.reward, again.counted, again.duplicate_of) != (trial.reward, trial.counted, trial.duplicate_of):
        raise MismatchError(
            f"trial {trial.number} is stored with reward {trial.reward}, counted {trial.counted}, duplicate of "
            f"{trial.duplicate_of}; the replay gives {again.reward}, {again.counted}, {again.duplicate_of}"
        )
    _same_table(trial.number, stored, again)


def _same_table(number: int, stored: QUpdate, again: Update) -> None:
    states = tuple(tuple(state) for state in again.states)
    for name, kept, computed in (
        ("path", tuple(stored.path), tuple(again.path)),
        ("states", tuple(tuple(state) for state in stored.states), states),
        ("transitions", tuple(stored.transitions), tuple(again.transitions)),
        ("updated Q-values", tuple(stored.q_ids), tuple(again.q_ids)),
        ("Q-values", tuple(stored.q_values), tuple(again.q_values)),
    ):
        if kept != computed:
            raise MismatchError(f"trial {number}: the stored {name} differ from what the replay gives")


def _outcome(trial: Trial, proposal: Proposal) -> Outcome | None:
    if proposal.kind != "evaluate":
        return None
    if trial.status == "failed":
        return Failed(reason=trial.reason or "")
    return Evaluated(
        reward=trial.reward,
        validation_accuracies=trial.validation_accuracies,
        train_accuracies=trial.train_accuracies,
        test_accuracy=trial.test_accuracy,
        early_stopped=trial.status == "early_stopped",
        embedding_dim=trial.embedding_dim or 0,
        micro_batch=trial.micro_batch or 0,
    )


def _replay_imported(
    strategy: QLearning, imported: list[tuple[Trial, QUpdate]], position: dict[str, Any] | None
) -> Iterator[int]:
    """Imported rows are taken as they were: their Q-values came from elsewhere and are what the file said."""
    counted = None if position is None else int(position["counted"])
    states: list[State] = []
    table: dict[tuple[State, State], float] = {}
    transitions: list[tuple[int, int]] = []
    rows = []
    for trial, update in imported:
        states += [State(*state) for state in update.states]  # type: ignore[arg-type]
        transitions += update.transitions
        for id, value in zip(update.q_ids, update.q_values, strict=True):
            state, action = transitions[id]
            table[states[state], states[action]] = value
        rows.append((strategy.space.parse(trial.net), trial.reward))
    updates = strategy.import_rows(rows, table, counted)
    for (trial, stored), again in zip(imported, updates, strict=True):
        _same_table(trial.number, stored, again)
        yield trial.number
