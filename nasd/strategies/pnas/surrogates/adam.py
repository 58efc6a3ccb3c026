"""Adam (Kingma and Ba 2015, arXiv 1412.6980) for named numpy arrays, its rate falling to 0 by half a cosine."""

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float64]]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Changes the arrays that it is made with, in `steps` updates."""

    def __init__(self, weights: Arrays, rate: float, steps: int) -> None:
        self._weights, self._rate, self._of = weights, rate, steps
        self._first = {name: np.zeros_like(value) for name, value in weights.items()}
        self._second = {name: np.zeros_like(value) for name, value in weights.items()}
        self._steps = 0

    def step(self, gradients: Arrays) -> None:
        """One update."""
        rate = self._rate / 2 * (1 + np.cos(np.pi * self._steps / self._of))
        self._steps += 1
        scale = rate * np.sqrt(1 - BETA2**self._steps) / (1 - BETA1**self._steps)
        for name, gradient in gradients.items():
            first, second = self._first[name], self._second[name]
            first += (1 - BETA1) * (gradient - first)
            second += (1 - BETA2) * (gradient * gradient - second)
            self._weights[name] -= scale * first / (np.sqrt(second) + EPSILON)
