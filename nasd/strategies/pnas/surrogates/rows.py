"""What a surrogate learns from, and what it answers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import Codes
from nasd.strategies.pnas.surrogates import features


class Prediction(NamedTuple):
    """Of some cells."""

    mean: NDArray[np.float64]  # (n,) on the scale of rewards
    spread: NDArray[np.float64]  # (n,) standard deviation over the members of an ensemble, or of the prediction


class Rows:
    """Cells of any number of blocks, and their rewards.

    Attributes:
        codes: One array (blocks, 2) for each row.
        rewards: (n,).
    """

    def __init__(self, codes: list[Codes], rewards: NDArray[np.float64]) -> None:
        self.codes, self.rewards = codes, rewards

    def __len__(self) -> int:
        return len(self.rewards)

    def __getitem__(self, kept: Any) -> "Rows":
        """Some of the rows, by whatever indexes an array."""
        chosen = np.arange(len(self))[kept]
        return Rows([self.codes[row] for row in chosen], self.rewards[kept])

    def shares(self) -> NDArray[np.float64]:
        """`features.shares` of every row, (n, features.WIDTH)."""
        return np.concatenate([features.shares(codes[None]) for codes in self.codes])


class Scale:
    """Between rewards, and their distance from the mean of those learned from in standard deviations."""

    def __init__(self, rewards: NDArray[np.float64]) -> None:
        self._mean = float(rewards.mean())
        self._deviation = float(rewards.std()) or 1.0

    def standard(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) -> (n,)."""
        return (rewards - self._mean) / self._deviation

    def reward(self, standard: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `standard`."""
        return self._mean + self._deviation * standard
