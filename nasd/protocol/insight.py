"""What a search has learned about its space, whatever its strategy is: from the rewards of its trials alone."""

from typing import Literal

from nasd.protocol.search import StageRewards
from nasd.protocol.wire import Message, Params, Whole

FrontAxis = Literal["parameters", "embedding", "seconds"]
"""What is to be low while the reward is high: weights, values of the embedding, seconds of the evaluation."""


class CurvePoint(Message, frozen=True):
    """A trial that counted, with the mean and the best reward by then."""

    trial: int
    reward: float
    mean: float  # of the window that ends here
    best: float


class Record(Message, frozen=True):
    """A trial whose reward was higher than any before it."""

    trial: int
    net: str
    reward: float


class FrontTrial(Message, frozen=True):
    """A trial on a front."""

    trial: int
    net: str
    reward: float
    cost: float


class Front(Message, frozen=True):
    """The trials that no other beats in reward and cost, by ascending cost, and where the others are."""

    axis: FrontAxis
    trials: tuple[FrontTrial, ...]
    cloud: tuple[tuple[float, float], ...]  # cost and reward of an even selection of all trials


class Level(Message, frozen=True):
    """One value of a decision, or a group of neighbouring ones."""

    label: str
    count: int
    effect: float  # mean reward with it, less the mean of all
    error: float  # standard error of the effect


class Decision(Message, frozen=True):
    """What a decision is worth: how much worse rewards are predicted when its values are shuffled, and each value."""

    name: str
    importance: float  # fall of R^2 on held-out trials
    spread: float  # standard deviation over the shuffles
    levels: tuple[Level, ...]


class Insight(Message, frozen=True):
    """All of it, for the trials read by now: a long run is read in the course of several requests."""

    read: int  # trials
    of: int
    window: int
    curve: tuple[CurvePoint, ...]
    records: tuple[Record, ...]
    fronts: tuple[Front, ...]
    r2: float  # of the model behind the importances, on held-out trials
    rows: int  # architectures that it rests on
    decisions: tuple[Decision, ...]  # the most important first
    stages: tuple[StageRewards, ...]


class InsightParams(Params, frozen=True):
    """`insight`."""

    points: Whole = 400  # of the curve and of each cloud, at most
