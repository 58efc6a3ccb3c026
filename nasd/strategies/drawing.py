"""The base of strategies that draw from one stream and learn from rewards alone: all but what they draw."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nasd.config import Config, DrawingSection
from nasd.outcome import Outcome
from nasd.spaces.base import Space
from nasd.strategies import stream
from nasd.strategies.base import Learned, Observed, Progress, Proposal, Stage, Work
from nasd.strategies.ledger import Ledger, Row

REDRAWS = 100
"""Draws until an architecture was not proposed before; the last is proposed as it is, as a duplicate."""


class Draw(NamedTuple):
    """What to propose next."""

    architecture: Any  # of the space
    stage: str  # the label of one of `stages`
    facts: Mapping[str, Any] = {}  # JSON values


class DrawingStrategy(ABC):
    """A strategy that says what to draw, which stages there are, and what it does with a row.

    An architecture that was proposed before is drawn again, `REDRAWS` times at most. The search ends after `trials`
    trials that counted. No more are open than are lacking to that, so that no evaluation is made in vain. A payload is
    one row, the position is the random stream.

    Args:
        config: `search.trials` and `seed` are used, and by a subclass whatever it reads.
        space: Where architectures come from.
    """

    def __init__(self, config: Config, space: Space[Any]) -> None:
        self.config = config
        self.space = space
        self.random = np.random.Generator(np.random.PCG64(config.seed))
        self.ledger = Ledger(space)
        self.trials = DrawingSection.of(config.search).trials

    # What a subclass says

    @abstractmethod
    def draw(self) -> Draw | None:
        """The next architecture, by `self.random`; None waits for what is open, and draws nothing from the stream."""

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The parts of the search, in order, each with the counted trials whose proposals carried its label."""

    def learn_row(self, row: Row) -> None:  # noqa: B027 - random search learns nothing
        """Take up an observed row; called for each in the order of observation, and again when the run is resumed."""

    # The interface of a strategy

    @property
    def finished(self) -> bool:
        """Whether `trials` trials have counted."""
        return self.ledger.counted >= self.trials

    def propose(self, room: int) -> tuple[Proposal, ...]:
        """Draw, as often as there is room and trials are lacking."""
        proposals: list[Proposal] = []
        while len(proposals) < room and self.ledger.counted + len(self.ledger.open) < self.trials:
            drawn = self._draw_new()
            if drawn is None:
                break
            proposals.append(self.ledger.propose(*drawn))
        return tuple(proposals)

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Note the row. Raises as `Strategy.observe`."""
        observed = self.ledger.observe(proposal, outcome)
        self.learn_row(self.ledger.rows[-1])
        return observed

    def work(self) -> Work | None:
        """None: a draw is made at once."""
        return None

    def learn(self, answer: Learned) -> None:
        """Never called: there is no work."""
        raise ValueError("this strategy has no work whose answer this could be")

    def progress(self) -> Progress:
        """The stages; the current one is the first that is not done."""
        stages = self.stages()
        lacking = (number for number, stage in enumerate(stages) if stage.of is None or stage.done < stage.of)
        return Progress(self.ledger.counted, self.trials, next(lacking, len(stages) - 1), stages)

    def position(self) -> dict[str, Any]:
        """The random stream; all else follows from the rows."""
        return {"random": stream.position(self.random)}

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        """Take up where a checkpoint ends. Raises as `Strategy.restore`."""
        fresh = type(self)(self.config, self.space)
        for row in fresh.ledger.restore(learned, open):
            fresh.learn_row(row)
        if position is not None:
            try:
                fresh.random = stream.restored(position["random"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the strategy's position is incomplete or damaged: {error}") from error
        elif fresh.ledger.rows or fresh.ledger.open:
            raise ValueError("the strategy's position is missing though trials have been made")
        self.__dict__.update(fresh.__dict__)

    def _draw_new(self) -> Draw | None:
        for _ in range(REDRAWS):
            drawn = self.draw()
            if drawn is None or not self.ledger.knows(str(drawn.architecture)):
                break
        return drawn
