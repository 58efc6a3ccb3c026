"""Random search: the baseline of neural architecture search (Li and Talwalkar 2019, arXiv 1902.07638)."""

from nasd.strategies.base import Stage
from nasd.strategies.drawing import Draw, DrawingStrategy

STAGE = "random"


class RandomSearch(DrawingStrategy):
    """Draws from the space without regard to rewards."""

    def draw(self) -> Draw:
        """A sample of the space."""
        return Draw(self.space.sample(self.random), STAGE)

    def stages(self) -> tuple[Stage, ...]:
        """One."""
        return (Stage(STAGE, self.ledger.counted, self.trials),)
