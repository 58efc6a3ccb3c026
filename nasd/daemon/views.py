"""What clients see: rows of the store as the protocol's messages, and what they send, checked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from nasd import filters, protocol
from nasd.errors import NasdError
from nasd.evaluators.base import Planner
from nasd.outcome import labels_in, rungs_in
from nasd.protocol import MarkParams, QueueJobParams, Selected, TrialDetail, TrialPage, TrialRow, TrialsParams
from nasd.runs.filtering import conditions
from nasd.spaces.base import GrammarError, Space
from store import MARK, Delta, Run, Trial

BEST = 5
RECENT = 10
DUPLICATES = 20
MOST_NOTE = 2000  # characters


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
        embedding_dim=trial.embedding_dim,
        device=trial.device,
    )


def trial_page(run: Run, params: TrialsParams, where: filters.Alternatives = ()) -> TrialPage:
    """A page of the trial table.

    Args:
        run: Whose.
        params: As the client sent them.
        where: Their filter, read.
    """
    offset, limit = max(0, params.offset), max(1, min(params.limit, protocol.MAX_PAGE))
    total, trials = run.page(
        offset=offset,
        limit=limit,
        sort=params.sort,
        descending=params.descending,
        text=params.text,
        status=params.status,
        where=conditions(where),
        distinct=params.distinct,
    )
    times = run.times_proposed([trial.number for trial in trials]) if params.distinct else {}
    marks = run.marks()
    return TrialPage(
        total=total,
        offset=offset,
        rows=tuple(_listed(run, trial, times.get(trial.number, 1), marks.get(trial.number, {})) for trial in trials),
    )


def _listed(run: Run, trial: Trial, proposed: int, mark: Mapping[str, Any]) -> TrialRow:
    """A line of a page; a duplicate shows the accuracies and the embedding size of its original."""
    row = trial_row(trial)
    changes: dict[str, Any] = {}
    if trial.duplicate_of is not None and (original := run.trial(trial.duplicate_of)) is not None:
        changes |= {
            "best_validation": original.best_validation,
            "test_accuracy": original.test_accuracy,
            "embedding_dim": original.embedding_dim,
        }
    if proposed > 1:
        changes["proposed"] = proposed
    changes |= {name: value for name, value in mark.items() if name in ("star", "note")}
    return msgspec.structs.replace(row, **changes) if changes else row


def with_sizes(page: TrialPage, size_of: Callable[[str], tuple[int, int]]) -> TrialPage:
    """The page with layers and parameters of each architecture; None where both are 0, of one the space lacks."""
    rows = []
    for row in page.rows:
        layers, parameters = size_of(row.net)
        known = bool(layers or parameters)
        rows.append(
            msgspec.structs.replace(row, layers=layers if known else None, parameters=parameters if known else None)
        )
    return msgspec.structs.replace(page, rows=tuple(rows))


def marked(run: Run, params: MarkParams) -> tuple[Delta, TrialRow]:
    """What is to be committed for a mark, and the trial's line with it.

    Raises:
        NasdError: There is no such trial, or the note is too long.
    """
    trial = run.trial(params.number)
    if trial is None:
        raise NasdError(f"there is no trial {params.number}: the newest is {run.count()}")
    if params.note is not None and len(params.note) > MOST_NOTE:
        raise NasdError(f"a note may have {MOST_NOTE} characters, this one has {len(params.note)}")
    mark = {"star": False, "note": "", **run.marks().get(params.number, {})}
    mark |= {name: value for name, value in (("star", params.star), ("note", params.note)) if value is not None}
    return Delta(flags={f"{MARK}{params.number}": mark}), _listed(run, trial, 1, mark)


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
    mark = run.marks().get(number, {})
    better, ranked = run.rank(source.reward)
    return TrialDetail(
        row=msgspec.structs.replace(
            trial_row(
                replace(trial, validation_accuracies=source.validation_accuracies, test_accuracy=source.test_accuracy)
            ),
            star=bool(mark.get("star")),
            note=str(mark.get("note", "")),
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
        rank=better + 1 if source.status in ("evaluated", "early_stopped") else None,
        ranked=ranked,
        rungs=rungs_in(source.metrics),
    )


def chosen(run: Run, space: Space[Any], params: QueueJobParams, planner: Planner) -> tuple[Selected, ...]:
    """The architectures of a job that a client wants to queue, checked.

    Args:
        run: Whose trials are meant.
        space: The run's.
        params: As the client sent them.
        planner: Of what evaluates them.

    Raises:
        NasdError: None or more than one way to name them is used, there is no such trial, or one cannot be evaluated.
    """
    named = (params.trial is not None) + (params.net is not None)
    if named + bool(params.selection) != 1:
        raise NasdError("a job needs either a trial or a net or a selection")
    if params.selection:
        return tuple(_checked(space, one, planner) for one in params.selection)
    if params.net is not None:
        return (Selected(net=checked_net(space, params.net, planner)),)
    trial = run.trial(params.trial or 0)
    if trial is None:
        raise NasdError(f"there is no trial {params.trial}: the newest is {run.count()}")
    return (Selected(net=checked_net(space, trial.net, planner), trial=params.trial, reward=trial.reward),)


def _checked(space: Space[Any], one: Selected, planner: Planner) -> Selected:
    """One of a selection, whose error names it."""
    try:
        return msgspec.structs.replace(one, net=checked_net(space, one.net, planner))
    except NasdError as error:
        raise NasdError(f"of the selection {one.net[:200]!r}: {error}") from error


def checked_net(space: Space[Any], text: str, planner: Planner) -> str:
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
    refusal = planner.refusal(space.graph(architecture))
    if refusal is not None:
        raise NasdError(f"{text} {refusal}")
    return str(architecture)
