"""What clients ask of evolution alone: its population."""

from itertools import islice
from typing import Any

from nasd.protocol.evolution import Member, Population, PopulationParams
from nasd.spaces.base import Space
from nasd.strategies.evolution.strategy import Evolution


def population(strategy: Evolution, space: Space[Any], params: PopulationParams) -> Population:
    """A page of the members, the youngest first."""
    members = list(strategy.members)[::-1]
    page = islice(enumerate(members), params.offset, params.offset + params.limit)
    return Population(
        size=strategy.population,
        sample_size=strategy.sample_size,
        total=len(members),
        offset=params.offset,
        members=tuple(
            Member(trial=row.number, net=row.net, reward=row.reward, age=age, parent=row.parent) for age, row in page
        ),
    )


METHODS = {"evolution.population": population}
