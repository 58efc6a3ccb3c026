"""What only Q-learning has: its table, state by state, and an architecture's place in it."""

from nasd.filters import Listing
from nasd.protocol.wire import Message, Method, Params, Whole


class Action(Message, frozen=True):
    """One action of a state."""

    text: str
    q: float
    tried: int  # trials that took it
    greedy: bool  # among the best
    terminal: bool


ACTION_LISTING: Listing[Action] = Listing(
    fields={
        "q": ("number", "the Q-value"),
        "tried": ("number", "trials that took it"),
        "greedy": ("switch", "yes or no: among the best"),
        "ends": ("switch", "yes or no: the architecture ends with it"),
    },
    searched="the action as it is written",
    values=lambda action: {"q": action.q, "tried": action.tried, "greedy": action.greedy, "ends": action.terminal},
    texts=lambda action: action.text,
)
"""What a filter may ask of an action."""


class QParams(Params, frozen=True):
    """`qlearning.page`: the layers from the start, as `Action.text` gives them; `where` is a filter of
    `ACTION_LISTING`.
    """

    path: tuple[str, ...] = ()
    offset: Whole = 0
    limit: Whole = 100
    where: str = ""


class QPage(Message, frozen=True):
    """A state and its actions, best first."""

    path: tuple[str, ...]  # the layers that lead here from the start
    image_size: int
    depth: int
    actions: tuple[Action, ...]
    total: int  # that match
    offset: int
    greedy_path: tuple[str, ...]  # from here to the end
    best: float = 0.0  # highest Q-value of the state
    lowest: float = 0.0  # lowest of the actions that were tried


class NeighboursParams(Params, frozen=True):
    """`qlearning.neighbours`: an architecture as it is written."""

    net: str


class Neighbour(Message, frozen=True):
    """One step of an architecture in the Q-table, and how it stands among its alternatives."""

    action: str  # as written in the architecture string
    q: float
    tried: int
    rank: int  # 1 is the best among the actions of its state
    alternatives: int
    best_action: str
    best_q: float


class Neighbours(Message, frozen=True):
    """An architecture's steps from the start, up to the first that the search space does not have."""

    steps: tuple[Neighbour, ...]


METHODS = {
    "qlearning.page": Method(QParams, QPage),
    "qlearning.neighbours": Method(NeighboursParams, Neighbours),
}
