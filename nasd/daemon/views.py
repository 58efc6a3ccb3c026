"""What clients see: rows of the store as the protocol's messages, and what they send, checked."""

from dataclasses import replace
from typing import Any

import msgspec

from nasd import protocol
from nasd.errors import NasdError
from nasd.outcome import labels_in
from nasd.protocol import QueueJobParams, Selected, TrialDetail, TrialPage, TrialRow, TrialsParams
from nasd.spaces.base import GrammarError, Space
from store import Run, Trial

BEST = 5
RECENT = 10
DUPLICATES = 20


def trial_row(trial: Trial) -> TrialRow:
    """One line of the trial table."""
    return TrialRow(
        number=trial.number,
        net=trial.net,
        status=trial.status,
        stage=trial.stage,
        facts=dict(trial.facts),
        reward=trial.reward,
        counted=trial.counted,
        best_validation=trial.best_validation,
        test_accuracy=trial.test_accuracy,
        duplicate_of=trial.duplicate_of,
        reason=trial.reason,
        imported=trial.imported,
        seconds=trial.seconds,
        finished_at=trial.finished_at,
        embedding=trial.embedding,
    )


def trial_page(run: Run, params: TrialsParams) -> TrialPage:
    """A page of the trial table."""
    offset, limit = max(0, params.offset), max(1, min(params.limit, protocol.MAX_PAGE))
    rows = run.trials(
        offset=offset,
        limit=limit,
        sort=params.sort,
        descending=params.descending,
        text=params.text,
        status=params.status,
    )
    return TrialPage(
        total=run.count(text=params.text, status=params.status), offset=offset, rows=tuple(map(trial_row, rows))
    )


def trial_detail(run: Run, space: Space[Any], number: int) -> TrialDetail:
    """Everything about one trial; a duplicate shows the curves of its original.

    Raises:
        NasdError: There is no such trial.
    """
    trial = run.trial(number)
    if trial is None:
        raise NasdError(f"there is no trial {number}: the newest is {run.count()}")
    original = run.trial(trial.duplicate_of) if trial.duplicate_of is not None else None
    source = original or trial
    duplicates = run.duplicates(source.number, limit=DUPLICATES)
    return TrialDetail(
        row=trial_row(
            replace(trial, validation_accuracies=source.validation_accuracies, test_accuracy=source.test_accuracy)
        ),
        seed=source.seed,
        validation_accuracies=source.validation_accuracies,
        train_accuracies=source.train_accuracies,
        embedding_dim=source.embedding_dim,
        micro_batch=source.micro_batch,
        encode_seconds=source.encode_seconds,
        train_seconds=source.train_seconds,
        peak_memory=source.peak_memory,
        device=source.device,
        graph=space.graph(space.parse(trial.net)),
        duplicates=tuple(duplicates),
        repeats=run.repeats(source.number) if len(duplicates) == DUPLICATES else len(duplicates),
        screening=(source.metrics or {}).get("screening"),
        labels=labels_in(source.metrics),
    )


def chosen(run: Run, space: Space[Any], params: QueueJobParams, *, full: bool) -> tuple[Selected, ...]:
    """The architectures of a job that a client wants to queue, checked.

    Args:
        run: Whose trials are meant.
        space: The run's.
        params: As the client sent them.
        full: Whether they are trained in full.

    Raises:
        NasdError: None or more than one way to name them is used, there is no such trial, or one cannot be evaluated.
    """
    named = (params.trial is not None) + (params.net is not None)
    if named + bool(params.selection) != 1:
        raise NasdError("a job needs either a trial or a net or a selection")
    if params.selection:
        return tuple(_checked(space, one, full=full) for one in params.selection)
    if params.net is not None:
        return (Selected(net=checked_net(space, params.net, full=full)),)
    trial = run.trial(params.trial or 0)
    if trial is None:
        raise NasdError(f"there is no trial {params.trial}: the newest is {run.count()}")
    return (Selected(net=checked_net(space, trial.net, full=full), trial=params.trial, reward=trial.reward),)


def _checked(space: Space[Any], one: Selected, *, full: bool) -> Selected:
    """One of a selection, whose error names it."""
    try:
        return msgspec.structs.replace(one, net=checked_net(space, one.net, full=full))
    except NasdError as error:
        raise NasdError(f"of the selection {one.net[:200]!r}: {error}") from error


def checked_net(space: Space[Any], text: str, *, full: bool) -> str:
    """A client's architecture string in its canonical form.

    Raises:
        NasdError: It is none, or cannot be evaluated in this search.
    """
    if len(text) > 10_000:
        raise NasdError("the architecture string is longer than 10,000 characters")
    try:
        architecture = space.parse(text)
    except GrammarError as error:
        raise NasdError(str(error)) from error
    infeasible = space.feasible(architecture)
    if infeasible is not None:
        raise NasdError(f"{text} cannot be evaluated here: {infeasible.reason}")
    if not full and any(node.kind == "fc" for node in space.graph(architecture).nodes):
        raise NasdError(f"{text} has fully connected layers, and a deep prior none: ask for full training")
    return str(architecture)
