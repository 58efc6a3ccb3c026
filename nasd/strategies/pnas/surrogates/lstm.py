"""The paper's LSTM surrogate (PNAS, arXiv 1712.00559, section 4.2): a cell read token by token.

Tokens are, for each block, its two sources and its two operators; sources share one embedding, operators another. A
cell has many equal written forms: it is trained on random ones, and predicted from its canonical one. What is learned
is how many standard deviations a reward is from what is usual for so many blocks.
"""

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.cells.arrays import OWN, Codes, chunks
from nasd.spaces.cells.cell import OPERATORS
from nasd.strategies.pnas.surrogates import features
from nasd.strategies.pnas.surrogates.adam import Adam, Arrays
from nasd.strategies.pnas.surrogates.rows import Rows, Scale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIZE = 100  # of embeddings and of the hidden state
EPOCHS, BATCH, RATE = 30, 32, 0.002
CHUNK = 1024  # cells that are predicted at a time
CLIP = 1.0  # of the norm of all gradients together


class LstmMember:
    """One network, fitted."""

    def __init__(self, rows: Rows, random: np.random.Generator) -> None:
        self._weights = _initial(random)
        self._scale = Scale(rows)
        rewards = self._scale.standard(rows)
        adam = Adam(self._weights, RATE, EPOCHS * len(_batches(rows, random)))
        for _ in range(EPOCHS):
            for batch in _batches(rows, random):
                tokens = _tokens(np.stack([_renumbered(rows.codes[row], random) for row in batch]))
                adam.step(_clipped(_gradients(self._weights, tokens, rewards[batch])))

    def predict(self, codes: Codes) -> Floats:
        """(n,)."""
        tokens = _tokens(codes)
        parts = [_output(self._weights, _last(self._weights, part)) for part in chunks(tokens, CHUNK)]
        return self._scale.reward(np.concatenate([np.zeros(0), *parts]), codes.shape[1])


def _batches(rows: Rows, random: np.random.Generator) -> list[Ints]:
    """Rows of equally many blocks, shuffled, the batches in random order."""
    order = sorted(random.permutation(len(rows)).tolist(), key=lambda row: len(rows.codes[row]))
    batches = []
    for _, group in groupby(order, key=lambda row: len(rows.codes[row])):
        alike = np.array(list(group))
        batches += [alike[start : start + BATCH] for start in range(0, len(alike), BATCH)]
    return [batches[number] for number in random.permutation(len(batches))]


def _renumbered(codes: Codes, random: np.random.Generator) -> Codes:
    """The same cell in another written form: blocks in a random order that reading allows, terms in any order."""
    count = len(OPERATORS)
    left = list(range(len(codes)))
    number: dict[int, int] = {}
    out = np.empty_like(codes)
    while left:
        free = [
            old for old in left if all(term < OWN or (term - OWN) // count in number for term in codes[old].tolist())
        ]
        old = free[int(random.integers(len(free)))]
        block = [
            term if term < OWN else OWN + number[(term - OWN) // count] * count + (term - OWN) % count
            for term in codes[old].tolist()
        ]
        out[len(number)] = block if random.random() < 0.5 else block[::-1]
        number[old] = len(number)
        left.remove(old)
    return out


def _tokens(codes: Codes) -> Ints:
    """(n, 4 * blocks): source, source, operator, operator of each block; operators are counted on from the sources."""
    sources, operators = np.divmod(codes.astype(np.int64), len(OPERATORS))
    both = np.concatenate([sources, features.SOURCES + operators], axis=2)
    return both.reshape(len(codes), -1)


def _initial(random: np.random.Generator) -> Arrays:
    bias = np.zeros(4 * SIZE)
    bias[SIZE : 2 * SIZE] = 1.0  # of the forget gate
    scale = 1 / np.sqrt(SIZE)
    return {
        "embedding": random.uniform(-0.1, 0.1, (features.SOURCES + len(OPERATORS), SIZE)),
        "weight": random.uniform(-scale, scale, (2 * SIZE, 4 * SIZE)),
        "bias": bias,
        "out_weight": random.uniform(-scale, scale, SIZE),
        "out_bias": np.zeros(()),
    }


class _Step(NamedTuple):
    """One token read: the gates, and the state before and after."""

    input: Floats
    forget: Floats
    output: Floats
    new: Floats  # what goes in
    before: Floats  # hidden
    cell_before: Floats
    cell: Floats
    squashed: Floats  # tanh of the cell
    hidden: Floats


def _steps(w: Arrays, tokens: Ints) -> Iterator[_Step]:
    """Read tokens (n, length) from the first to the last."""
    hidden, cell = np.zeros((len(tokens), SIZE)), np.zeros((len(tokens), SIZE))
    from_token = w["embedding"] @ w["weight"][:SIZE] + w["bias"]
    for step in range(tokens.shape[1]):
        gates = hidden @ w["weight"][SIZE:]
        gates += from_token[tokens[:, step]]
        opened, new = _sigmoid(gates[:, : 3 * SIZE]), np.tanh(gates[:, 3 * SIZE :])
        input_, forget, output = opened[:, :SIZE], opened[:, SIZE : 2 * SIZE], opened[:, 2 * SIZE :]
        after = forget * cell + input_ * new
        squashed = np.tanh(after)
        step_ = _Step(input_, forget, output, new, hidden, cell, after, squashed, output * squashed)
        yield step_
        hidden, cell = step_.hidden, after


def _last(w: Arrays, tokens: Ints) -> Floats:
    """The hidden state at the end, (n, SIZE)."""
    return deque(_steps(w, tokens), maxlen=1)[0].hidden


def _output(w: Arrays, hidden: Floats) -> Floats:
    return hidden @ w["out_weight"] + w["out_bias"]


def _gradients(w: Arrays, tokens: Ints, y: Floats) -> Arrays:
    """Of the mean absolute error, through all steps."""
    steps = list(_steps(w, tokens))
    last = steps[-1].hidden
    d_out = np.sign(_output(w, last) - y) / len(y)
    gradients = {name: np.zeros_like(value) for name, value in w.items()}
    gradients["out_weight"], gradients["out_bias"] = last.T @ d_out, d_out.sum()
    d_hidden, d_cell = np.outer(d_out, w["out_weight"]), np.zeros_like(last)
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        d_cell = d_cell + d_hidden * step.output * (1 - step.squashed**2)
        d_gates = np.concatenate(
            [
                d_cell * step.new * step.input * (1 - step.input),
                d_cell * step.cell_before * step.forget * (1 - step.forget),
                d_hidden * step.squashed * step.output * (1 - step.output),
                d_cell * step.input * (1 - step.new**2),
            ],
            axis=1,
        )
        read = tokens[:, number]
        gradients["weight"][:SIZE] += w["embedding"][read].T @ d_gates
        gradients["weight"][SIZE:] += step.before.T @ d_gates
        gradients["bias"] += d_gates.sum(0)
        np.add.at(gradients["embedding"], read, d_gates @ w["weight"][:SIZE].T)
        d_hidden = d_gates @ w["weight"][SIZE:].T
        d_cell = d_cell * step.forget
    return gradients


def _clipped(gradients: Arrays) -> Arrays:
    norm = np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
    return gradients if norm <= CLIP else {name: gradient * (CLIP / norm) for name, gradient in gradients.items()}


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
