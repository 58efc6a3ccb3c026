"""The section `search` of strategy `enas`: a controller that learns while shared weights do (arXiv 1802.03268)."""

from typing import Annotated, Literal

from pydantic import Field

from nasd.config.search_section import SearchSection
from nasd.config.section import Count, Fraction, NonNegative, Positive, PositiveFloat, Section


class ControllerConfig(Section):
    """The policy that chooses, and how it learns (REINFORCE with a moving baseline). Defaults as LightNAS."""

    hidden: Positive = 100  # units of the LSTM cell
    temperature: PositiveFloat = 1.0  # of the softmax
    tanh_constant: NonNegative = 0.0  # bound of the logits; 0: none
    learning_rate: PositiveFloat = 3e-3  # of Adam
    entropy_weight: NonNegative = 0.0  # of the entropy in what is maximised
    baseline_decay: Fraction = 0.95
    samples: Positive = 10  # architectures of a step
    every: Positive = 5  # training steps between two of its steps
    warm_up_epochs: Count = 0  # in which only the shared weights learn


class EnasConfig(SearchSection):
    """ENAS as in LightNAS: each trial is an epoch of the supernet."""

    strategy: Literal["enas"] = "enas"
    epochs: Positive = 100
    controller: ControllerConfig = ControllerConfig()
    latency_exponent: NonNegative = 0.07  # of (average latency / latency), by which accuracy is multiplied
    derive: Count = 5  # best distinct architectures, which jobs train from scratch at the end; 0: none
    keep: Annotated[Positive, Field(ge=1)] = 2  # newest epochs whose files stay; so does the best one's
    keep_every: Positive | None = None  # and those of each so many epochs, for `nasd fork`

    @property
    def total_trials(self) -> int:
        """One for each epoch."""
        return self.epochs
