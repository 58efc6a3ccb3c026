"""Ridge regression on what a cell is made of: in closed form, without a seed."""

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import Codes
from nasd.strategies.pnas.surrogates import features
from nasd.strategies.pnas.surrogates.rows import PENALTY, Prediction, Rows


class Ridge:
    """Reward as a linear function of the numbers of operators and sources, and of which of them there are at all."""

    def __init__(self, rows: Rows) -> None:
        x = np.concatenate([_described(codes[None]) for codes in rows.codes])
        self._centre, self._level = x.mean(0), rows.rewards.mean()
        x = x - self._centre
        self._inverse = np.linalg.inv(x.T @ x + PENALTY * np.eye(x.shape[1]))
        self._weights = self._inverse @ (x.T @ (rows.rewards - self._level))
        residuals = rows.rewards - self._level - x @ self._weights
        self._noise = residuals.std()

    def predict(self, codes: Codes) -> Prediction:
        """Prediction, and its standard deviation where the residuals' is that of the noise."""
        x = _described(codes) - self._centre
        variance = np.einsum("ij,ij->i", x @ self._inverse, x)
        return Prediction(self._level + x @ self._weights, self._noise * np.sqrt(variance))


def _described(codes: Codes) -> NDArray[np.float64]:
    """Counts, and presences, (n, 2 * WIDTH); a cell's number of blocks is the sum of its counts."""
    shares = features.shares(codes)
    return np.concatenate([2 * codes.shape[1] * shares, shares > 0], axis=1)
