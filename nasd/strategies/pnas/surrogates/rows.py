"""What a surrogate learns from, and what it answers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import Codes
from nasd.strategies.pnas.surrogates import features

PENALTY = 1.0  # of ridge regressions
LEAST_DEVIATION = 1e-6  # of rewards: below are rounding errors of equal ones, which are not to be learned


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

    def described(self) -> NDArray[np.float64]:
        """`features.described` of every row, (n, features)."""
        return np.concatenate([features.described(codes[None]) for codes in self.codes])

    @property
    def blocks(self) -> NDArray[np.int64]:
        """How many blocks each has, (n,)."""
        return np.array([len(codes) for codes in self.codes], np.int64)


class Scale:
    """Between rewards, and how many standard deviations they are from what is usual for so many blocks.

    Larger cells have higher rewards, and all but the smallest were chosen for what they are made of. What is usual is
    therefore no mean, but the intercept of each number of blocks in a ridge regression on what cells are made of: else
    whatever only large cells have would be credited with their size.
    """

    def __init__(self, rows: Rows) -> None:
        x, levels = rows.described(), np.unique(rows.blocks)
        x = x - x.mean(0)
        member = (rows.blocks[:, None] == levels).astype(np.float64)  # (n, levels)
        mean = member.T / member.sum(0)[:, None]
        within = x - member @ (mean @ x)
        penalised = within.T @ within + PENALTY * np.eye(x.shape[1])
        weights = np.linalg.solve(penalised, within.T @ (rows.rewards - member @ (mean @ rows.rewards)))
        usual = mean @ (rows.rewards - x @ weights)
        self._usual: dict[int, float] = dict(zip(levels.tolist(), usual.tolist(), strict=True))
        self._deviation = max(float((rows.rewards - member @ usual).std()), LEAST_DEVIATION)

    def standard(self, rows: Rows) -> NDArray[np.float64]:
        """(n,)."""
        usual = np.array([self._usual[blocks] for blocks in rows.blocks.tolist()])
        standard: NDArray[np.float64] = (rows.rewards - usual) / self._deviation
        return standard

    def reward(self, standard: NDArray[np.float64], blocks: int) -> NDArray[np.float64]:
        """Undo `standard`, of cells of so many blocks; what is usual for unknown ones is that of the largest known."""
        usual = self._usual[blocks if blocks in self._usual else max(self._usual)]
        return usual + self._deviation * standard
