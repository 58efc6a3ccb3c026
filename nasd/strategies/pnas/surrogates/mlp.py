"""The paper's MLP surrogate (PNAS, arXiv 1712.00559, section 4.2): embeddings, their mean over a cell, two layers.

The paper embeds a block's two sources and two operators, each by its place in the block. Here a term's source, its
operator, and both together are embedded, whichever place the term has, since a cell does not change when they change
places; and how many of them are different (see `features`). Rewards of a level lie close together: what is learned is
how many standard deviations one is from what is usual.
"""

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import Codes
from nasd.strategies.pnas.surrogates import features
from nasd.strategies.pnas.surrogates.adam import Adam, Arrays
from nasd.strategies.pnas.surrogates.rows import Rows, Scale

Floats = NDArray[np.float64]

EMBEDDING, HIDDEN = 100, 100
EPOCHS, BATCH, RATE = 60, 32, 0.002


class MlpMember:
    """One network, fitted."""

    def __init__(self, rows: Rows, random: np.random.Generator) -> None:
        self._weights = _initial(random)
        self._scale = Scale(rows)
        x, y = rows.described(), self._scale.standard(rows)
        adam = Adam(self._weights, RATE, EPOCHS * -(-len(y) // BATCH))
        for _ in range(EPOCHS):
            order = random.permutation(len(y))
            for start in range(0, len(y), BATCH):
                batch = order[start : start + BATCH]
                adam.step(_gradients(self._weights, x[batch], y[batch]))

    def predict(self, codes: Codes) -> Floats:
        """(n,)."""
        w = self._weights
        count, blocks, _ = codes.shape
        each = w["embedding"] @ w["weight1"]  # what a feature adds to the first layer
        table = features.TABLE @ each[: features.WIDTH] / (2 * blocks)  # what a term does
        first = features.variety(codes) @ each[features.WIDTH :]
        for term in codes.reshape(count, 2 * blocks).T:
            first += table[term]
        first += w["bias1"]
        np.maximum(first, 0, out=first)
        second = first @ w["weight2"]
        second += w["bias2"]
        np.maximum(second, 0, out=second)
        return self._scale.reward(second @ w["weight3"] + w["bias3"], blocks)


def _initial(random: np.random.Generator) -> Arrays:
    def dense(inputs: int, outputs: int) -> Floats:
        return random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))

    return {
        "embedding": random.uniform(-0.1, 0.1, (features.WIDTH + features.VARIETY, EMBEDDING)),
        "weight1": dense(EMBEDDING, HIDDEN),
        "bias1": np.zeros(HIDDEN),
        "weight2": dense(HIDDEN, HIDDEN),
        "bias2": np.zeros(HIDDEN),
        "weight3": dense(HIDDEN, 1)[:, 0] / 10,
        "bias3": np.zeros(()),
    }


def _gradients(w: Arrays, x: Floats, y: Floats) -> Arrays:
    """Of the mean absolute error."""
    embedded = x @ w["embedding"]
    first = np.maximum(embedded @ w["weight1"] + w["bias1"], 0)
    second = np.maximum(first @ w["weight2"] + w["bias2"], 0)
    d_out = np.sign(second @ w["weight3"] + w["bias3"] - y) / len(y)
    d_second = np.outer(d_out, w["weight3"]) * (second > 0)
    d_first = d_second @ w["weight2"].T * (first > 0)
    d_embedded = d_first @ w["weight1"].T
    return {
        "embedding": x.T @ d_embedded,
        "weight1": embedded.T @ d_first,
        "bias1": d_first.sum(0),
        "weight2": first.T @ d_second,
        "bias2": d_second.sum(0),
        "weight3": second.T @ d_out,
        "bias3": d_out.sum(),
    }
