"""What only evolution has: its population."""

from nasd.protocol.wire import MAX_PAGE, Message, Method, Params, Whole


class PopulationParams(Params, frozen=True):
    """`evolution.population`."""

    offset: Whole = 0
    limit: Whole = MAX_PAGE


class Member(Message, frozen=True):
    """One living architecture."""

    trial: int
    net: str
    reward: float
    age: int  # members that are younger; the oldest dies first
    parent: int | None = None  # trial that it was mutated from; None: drawn at random


class Population(Message, frozen=True):
    """The members, youngest first."""

    size: int  # members that it holds once it is full
    sample_size: int  # members drawn to choose a parent among
    total: int  # members now
    offset: int
    members: tuple[Member, ...]


METHODS = {"evolution.population": Method(PopulationParams, Population)}
