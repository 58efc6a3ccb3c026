"""Regularised evolution (Real et al. 2019, arXiv 1802.01548, algorithm 1), which they also call aging evolution."""

from collections import deque
from typing import Any

from nasd.config import Config, EvolutionConfig
from nasd.spaces.base import Space
from nasd.strategies.base import Stage
from nasd.strategies.drawing import Draw, DrawingStrategy
from nasd.strategies.ledger import Row

INITIAL, CYCLE = "initial", "cycle"


class Evolution(DrawingStrategy):
    """Samples a population, then mutates: the best of a few members has a child, and the oldest member goes.

    Every trial that counts becomes the population's youngest member: what failed or was infeasible had reward 0 and
    never enters. A duplicate enters with the reward known of it. While the first population is not complete, its last
    trials are waited for. With several trials in flight, a child's parent comes from the population as it is when the
    child is proposed.

    Args:
        config: `search.trials`, `search.population`, `search.sample_size` and `seed` are used.
        space: Where architectures come from.
    """

    def __init__(self, config: Config, space: Space[Any]) -> None:
        super().__init__(config, space)
        search = EvolutionConfig.of(config.search)
        self.population = min(search.population, self.trials)
        self.sample_size = search.sample_size
        self.members: deque[Row] = deque(maxlen=self.population)  # the oldest first

    def draw(self) -> Draw | None:
        """A sample of the space, or a child; None while the first population lacks only what is open."""
        if len(self.members) == self.population:
            # The best of a sample that is drawn with replacement, as in algorithm 1.
            places = self.random.integers(self.population, size=self.sample_size).tolist()
            parent = max((self.members[place] for place in places), key=lambda member: member.reward)
            child = self.space.mutate(self.space.parse(parent.net), self.random)
            return Draw(child, CYCLE, {"parent": parent.number, "parent_reward": parent.reward})
        if len(self.members) + len(self.ledger.open) < self.population:
            return Draw(self.space.sample(self.random), INITIAL)
        return None

    def stages(self) -> tuple[Stage, ...]:
        """The first population, and the cycles after it."""
        counted, population = self.ledger.counted, self.population
        initial = Stage(INITIAL, min(counted, population), population)
        return initial, Stage(CYCLE, max(counted - population, 0), self.trials - population)

    def learn_row(self, row: Row) -> None:
        """The youngest member; the oldest goes where there are too many."""
        if row.reward > 0:
            self.members.append(row)
