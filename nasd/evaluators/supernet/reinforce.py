"""What the controller is rewarded with, and what its rewards are compared with (LightNAS). Numbers, no torch."""

import math
from dataclasses import dataclass


def reward(accuracy: float, latency: float, average_latency: float, exponent: float) -> float:
    """Accuracy times (average latency / latency) to the power of `exponent`; infinite where that overflows."""
    if latency <= 0:
        return accuracy
    try:
        return float(accuracy * (average_latency / latency) ** exponent)
    except OverflowError:
        return math.inf


@dataclass
class Baseline:
    """An exponential moving average of rewards; the first one starts it."""

    decay: float
    value: float | None = None

    def advantage(self, reward: float) -> float:
        """How much better a reward is than the average before it, which then takes it in."""
        before = reward if self.value is None else self.value
        self.value = self.decay * before + (1 - self.decay) * reward
        return reward - before
