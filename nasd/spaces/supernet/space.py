"""The space: each unit's choices, independent of each other."""

import numpy as np

from nasd.config import SupernetConfig
from nasd.graph import Graph
from nasd.spaces.base import Infeasible
from nasd.spaces.supernet import cost, describe
from nasd.spaces.supernet.architecture import Supernet
from nasd.spaces.supernet.cost import Size
from nasd.spaces.supernet.parse import parse
from nasd.spaces.supernet.skeleton import skeleton


class SupernetSpace:
    """See `nasd.spaces.base.Space`.

    Attributes:
        config: The section `space`.
        skeleton: The network with all its choices.
        latencies: What each choice of each unit takes.
        average_latency: Of all architectures.

    Raises:
        ConfigError: The network does not fit the images.
    """

    def __init__(self, config: SupernetConfig) -> None:
        self.config = config
        self.skeleton = skeleton(config)
        self.latencies = cost.latencies(config, self.skeleton)
        self.average_latency = sum(sum(of_unit) / len(of_unit) for of_unit in self.latencies)

    @property
    def choices(self) -> tuple[tuple[str, ...], ...]:
        """What can be chosen, unit by unit."""
        return tuple(unit.choices for unit in self.skeleton.units)

    @property
    def count(self) -> int:
        """How many architectures there are."""
        return int(np.prod([len(choices) for choices in self.choices], dtype=object))

    def make(self, numbers: tuple[int, ...]) -> Supernet:
        """The architecture of these choices, as their places in `choices`."""
        chosen = (choices[number] for choices, number in zip(self.choices, numbers, strict=True))
        return Supernet(tuple(chosen), self.config)

    def numbers(self, architecture: Supernet) -> tuple[int, ...]:
        """The places of its choices in `choices`."""
        return tuple(all.index(one) for all, one in zip(self.choices, architecture.choices, strict=True))

    def parse(self, text: str) -> Supernet:
        """As `Space.parse`."""
        return parse(text, self.config, self.skeleton.units)

    def feasible(self, architecture: Supernet) -> Infeasible | None:
        """All are."""
        return None

    def graph(self, architecture: Supernet) -> Graph:
        """As `Space.graph`."""
        return describe.graph(self.config, self.skeleton, architecture.choices)

    def decisions(self, architecture: Supernet) -> dict[str, str | float]:
        """Each unit's choice."""
        labels = (unit.label for unit in self.skeleton.units)
        return dict(zip(labels, architecture.choices, strict=True))

    def sample(self, random: np.random.Generator) -> Supernet:
        """Each choice with the same probability."""
        return self.make(tuple(int(random.integers(len(choices))) for choices in self.choices))

    def mutate(self, architecture: Supernet, random: np.random.Generator) -> Supernet:
        """Another choice for one unit."""
        numbers = list(self.numbers(architecture))
        unit = int(random.integers(len(numbers)))
        count = len(self.choices[unit])
        numbers[unit] = (numbers[unit] + 1 + int(random.integers(count - 1))) % count
        return self.make(tuple(numbers))

    def size(self, architecture: Supernet) -> Size:
        """What has to be stored of it."""
        return cost.size(self.skeleton, architecture.choices)

    def latency(self, architecture: Supernet) -> float:
        """The sum over its units of what their choices take (`latencies`)."""
        numbers = self.numbers(architecture)
        return sum(of_unit[number] for of_unit, number in zip(self.latencies, numbers, strict=True))
