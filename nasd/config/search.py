"""The section `search`: one class per strategy, told apart by `search.strategy`."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from nasd.config.enas import EnasConfig
from nasd.config.evaluation import TrainingConfig
from nasd.config.pnas import PnasConfig
from nasd.config.search_section import SearchSection
from nasd.config.section import Fraction, Positive, Rate, Real
from nasd.config.unions import by

Phase = tuple[Fraction, Positive]

PUBLISHED_SCHEDULE: tuple[Phase, ...] = (
    (1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100), (0.6, 100), (0.5, 100),
    (0.4, 100), (0.3, 100), (0.2, 100), (0.1, 100), (0.0, 3),
)  # fmt: skip
PUBLISHED_TRIALS = sum(count for _, count in PUBLISHED_SCHEDULE)


class QLearningConfig(SearchSection):
    """Q-learning as in MetaQNN (arXiv 1611.02167), with DP-NAS's numbers."""

    strategy: Literal["qlearning"] = "qlearning"
    epsilon_schedule: Annotated[tuple[Phase, ...], Field(min_length=1)] = PUBLISHED_SCHEDULE
    replay_number: Positive = 50  # updates per trial: the newest row, then this many less one drawn from the buffer
    learning_rate: Rate = 0.1
    discount: Fraction = 1.0
    initial_q: Real | None = None  # None: training.early_stopping_thresh

    @property
    def total_trials(self) -> int:
        """Trials with reward above 0 that the schedule asks for."""
        return sum(count for _, count in self.epsilon_schedule)

    def initial_value(self, training: TrainingConfig) -> float:
        """The value of every state-action pair that was never updated."""
        return training.early_stopping_thresh if self.initial_q is None else self.initial_q


class DrawingSection(SearchSection):
    """What strategies take that end after a number of trials."""

    trials: Positive = PUBLISHED_TRIALS  # with reward above 0

    @property
    def total_trials(self) -> int:
        """As `trials` says."""
        return self.trials


class RandomConfig(DrawingSection):
    """Random search: every architecture drawn on its own (Li and Talwalkar, arXiv 1902.07638)."""

    strategy: Literal["random"] = "random"


class EvolutionConfig(DrawingSection):
    """Regularised evolution (Real et al., arXiv 1802.01548), with its numbers."""

    strategy: Literal["evolution"] = "evolution"
    population: Annotated[Positive, Field(ge=2)] = 100
    sample_size: Positive = 25  # members drawn from the population, with replacement; the best is the parent


AnySearch = Annotated[
    Annotated[QLearningConfig, Tag("qlearning")]
    | Annotated[RandomConfig, Tag("random")]
    | Annotated[EvolutionConfig, Tag("evolution")]
    | Annotated[PnasConfig, Tag("pnas")]
    | Annotated[EnasConfig, Tag("enas")],
    Discriminator(by("strategy", default="qlearning")),
]
