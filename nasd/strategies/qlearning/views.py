"""What clients see of a Q-table: a state's actions, and where an architecture stands among its alternatives."""

from nasd.errors import NasdError
from nasd.protocol.qlearning import ACTION_LISTING, Action, Neighbour, Neighbours, NeighboursParams, QPage, QParams
from nasd.protocol.wire import MAX_PAGE
from nasd.spaces.layers import SearchSpace, State
from nasd.strategies.qlearning.strategy import QLearning


def page(strategy: QLearning, space: SearchSpace, params: QParams) -> QPage:
    """A state and its actions, best first.

    Raises:
        NasdError: The path does not lead anywhere, or the filter is none.
    """
    state = space.start()
    for depth, text in enumerate(params.path):
        state = _follow(space, state, text, depth)
    actions = space.actions(state)
    values = {action: strategy.q(state, action) for action in actions}
    best = max(values.values(), default=0.0)
    tried = [value for action, value in values.items() if strategy.tried(state, action)]
    ranked = sorted(actions, key=lambda action: (-values[action], -strategy.tried(state, action)))
    matches = ACTION_LISTING.matching(params.where)
    listed = [
        action
        for action in (
            Action(
                text=space.text(action),
                q=values[action],
                tried=strategy.tried(state, action),
                greedy=values[action] == best,
                terminal=bool(action.terminate),
            )
            for action in ranked
        )
        if matches(action)
    ]
    offset, limit = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
    return QPage(
        path=params.path,
        image_size=state.image_size,
        depth=state.layer_depth,
        actions=tuple(listed[offset : offset + limit]),
        total=len(listed),
        offset=offset,
        greedy_path=_greedy_path(strategy, space, state),
        best=best,
        lowest=min(tried, default=best),
    )


def neighbours(strategy: QLearning, space: SearchSpace, params: NeighboursParams) -> Neighbours:
    """An architecture's steps, each beside its alternatives.

    Raises:
        GrammarError: The text is no architecture.
    """
    steps, state = [], space.start()
    for action in space.parse(params.net).states:
        actions = space.actions(state)
        if action not in actions:  # an imported or hand-written architecture may leave the space
            break
        values = {other: strategy.q(state, other) for other in actions}
        best = strategy.greedy(state)[0]
        steps.append(
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
    return Neighbours(steps=tuple(steps))


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


METHODS = {"qlearning.page": page, "qlearning.neighbours": neighbours}
"""What the daemon answers for a search by Q-learning, by method of the protocol."""
