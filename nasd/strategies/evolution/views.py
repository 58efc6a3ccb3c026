"""What clients see of an evolution: its population."""

from typing import Any

from nasd.protocol.evolution import Member, Population, PopulationParams
from nasd.protocol.wire import MAX_PAGE
from nasd.spaces.base import Space
from nasd.strategies.evolution.strategy import Evolution


def population(strategy: Evolution, space: Space[Any], params: PopulationParams) -> Population:
    """A page of the members, youngest first."""
    offset, limit = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
    youngest_first = list(enumerate(reversed(strategy.members)))
    return Population(
        size=strategy.population,
        sample_size=strategy.sample_size,
        total=len(youngest_first),
        offset=offset,
        members=tuple(
            Member(trial=row.number, net=row.net, reward=row.reward, age=age, parent=row.parent)
            for age, row in youngest_first[offset : offset + limit]
        ),
    )


METHODS = {"evolution.population": population}
"""What the daemon answers for a search by evolution, by method of the protocol."""
