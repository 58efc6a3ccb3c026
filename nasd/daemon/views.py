"""What clients see: rows of the store and the strategy's table as the protocol's messages."""

from dataclasses import replace

import msgspec

from nasd import protocol
from nasd.errors import NasdError
from nasd.outcome import labels_in
from nasd.protocol import (
    Action,
    Layer,
    Neighbour,
    QPage,
    QParams,
    QueueJobParams,
    Selected,
    TrialDetail,
    TrialPage,
    TrialRow,
    TrialsParams,
)
from nasd.spaces.base import GrammarError
from nasd.spaces.layers import Architecture, SearchSpace, State
from nasd.strategies.qlearning.strategy import QLearning
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
        epsilon=trial.epsilon,
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


def trial_detail(run: Run, space: SearchSpace, strategy: QLearning, number: int) -> TrialDetail:
    """Everything about one trial; a duplicate shows the curves of its original.

    Raises:
        NasdError: There is no such trial.
    """
    trial = run.trial(number)
    if trial is None:
        raise NasdError(f"there is no trial {number}: the newest is {run.count()}")
    original = run.trial(trial.duplicate_of) if trial.duplicate_of is not None else None
    source = original or trial
    architecture = space.parse(trial.net)
    duplicates = run.duplicates(source.number, limit=DUPLICATES)
    return TrialDetail(
        row=trial_row(
            replace(trial, validation_accuracies=source.validation_accuracies, test_accuracy=source.test_accuracy)
        ),
        seed=source.seed,
        validation_accuracies=source.validation_accuracies,
        train_accuracies=source.train_accuracies,
        embedding_dim=architecture.embedding_dim,
        micro_batch=source.micro_batch,
        encode_seconds=source.encode_seconds,
        train_seconds=source.train_seconds,
        peak_memory=source.peak_memory,
        device=source.device,
        layers=layers(space, architecture),
        neighbours=_neighbours(strategy, space, architecture),
        duplicates=tuple(duplicates),
        screening=(source.metrics or {}).get("screening"),
        labels=labels_in(source.metrics),
    )


def layers(space: SearchSpace, architecture: Architecture) -> tuple[Layer, ...]:
    """An architecture layer by layer."""
    return tuple(
        Layer(
            kind=node.kind,
            text=node.text,
            features=node.shape[0],
            image_size=node.shape[-1] if len(node.shape) > 1 else 1,
            parameters=node.parameters,
        )
        for node in space.graph(architecture).nodes
        if node.text
    )


def q_page(strategy: QLearning, space: SearchSpace, params: QParams) -> QPage:
    """A state and its actions, best first.

    Raises:
        NasdError: The path does not lead anywhere.
    """
    state = space.start()
    for depth, text in enumerate(params.path):
        state = _follow(space, state, text, depth)
    actions = space.actions(state)
    values = {action: strategy.q(state, action) for action in actions}
    best = max(values.values(), default=0.0)
    ranked = sorted(actions, key=lambda action: (-values[action], -strategy.tried(state, action)))
    offset, limit = max(0, params.offset), max(1, min(params.limit, protocol.MAX_PAGE))
    return QPage(
        path=params.path,
        image_size=state.image_size,
        depth=state.layer_depth,
        actions=tuple(
            Action(
                text=space.text(action),
                q=values[action],
                tried=strategy.tried(state, action),
                greedy=values[action] == best,
                terminal=bool(action.terminate),
            )
            for action in ranked[offset : offset + limit]
        ),
        total=len(ranked),
        offset=offset,
        greedy_path=_greedy_path(strategy, space, state),
    )


def chosen(run: Run, space: SearchSpace, params: QueueJobParams, *, full: bool) -> tuple[Selected, ...]:
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


def _checked(space: SearchSpace, one: Selected, *, full: bool) -> Selected:
    """One of a selection, whose error names it."""
    try:
        return msgspec.structs.replace(one, net=checked_net(space, one.net, full=full))
    except NasdError as error:
        raise NasdError(f"of the selection {one.net[:200]!r}: {error}") from error


def checked_net(space: SearchSpace, text: str, *, full: bool) -> str:
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
    if not full and any(state.layer_type == "fc" for state in architecture.layers):
        raise NasdError(f"{text} has fully connected layers, and a deep prior none: ask for full training")
    return str(architecture)


def _follow(space: SearchSpace, state: State, text: str, depth: int) -> State:
    for action in space.actions(state):
        if space.text(action) == text:
            return action
    raise NasdError(f"after {depth} layers there is no action {text[:100]!r} here")


def _greedy_path(strategy: QLearning, space: SearchSpace, state: State) -> tuple[str, ...]:
    """The best actions from here to the end, the first of equals each time."""
    path: list[str] = []
    while not state.terminate:
        state = strategy.greedy(state)[0]
        path.append(space.text(state))
    return tuple(path)


def _neighbours(strategy: QLearning, space: SearchSpace, architecture: Architecture) -> tuple[Neighbour, ...]:
    rows, state = [], space.start()
    for action in architecture.states:
        actions = space.actions(state)
        if action not in actions:  # an imported or hand-written architecture may leave the space
            break
        values = {other: strategy.q(state, other) for other in actions}
        best = strategy.greedy(state)[0]
        rows.append(
            Neighbour(
                action=space.text(action),
                q=values[action],
                tried=strategy.tried(state, action),
                rank=1 + sum(value > values[action] for value in values.values()),
                alternatives=len(actions),
                best_action=space.text(best),
                best_q=values[best],
            )
        )
        state = action
    return tuple(rows)
