"""What a search has learned about its space, from the trials alone: fronts, and what each decision is worth. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = str | float
Floats = NDArray[np.float64]

MOST_LEVELS = 8  # of a decision whose values are numbers: more are joined to groups of equal size
MOST_ROWS = 8_000  # that the model is fitted to, spread evenly over the search
LEAST_ROWS = 20  # below which nothing is said
LEAST_VARIED = 0.02  # share of rows that must differ from the most frequent value
SHUFFLES = 10
HELD_OUT = 4  # every fourth row is predicted, and not fitted to
RIDGE = 1.0  # pseudo-rows that hold each level's coefficient at 0
ABSENT = "none"


@dataclass(frozen=True)
class Level:
    """One value of a decision, or a group of neighbouring ones.

    Attributes:
        label: The value as it is shown, `16 to 64` for a group.
        count: Rows that have it.
        effect: Their mean reward less the mean of all rows.
        error: Standard error of the effect.
    """

    label: str
    count: int
    effect: float
    error: float


@dataclass(frozen=True)
class Worth:
    """What a decision is worth.

    Attributes:
        name: The decision.
        importance: By how much R^2 on held-out rows falls when the decision's values are shuffled among them
            (permutation importance: Breiman, Random Forests, Machine Learning 45, 2001, section 10); the mean of
            several shuffles.
        spread: Standard deviation over the shuffles.
        levels: In the order of their values.
    """

    name: str
    importance: float
    spread: float
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Importances:
    """All decisions, the most important first, and how much the model behind the importances explains.

    Attributes:
        r2: R^2 of the additive model on held-out rows: 1 is all, 0 nothing.
        rows: That it was fitted to and tested on.
        worths: One for each decision that varies.
    """

    r2: float
    rows: int
    worths: tuple[Worth, ...]


def front(costs: Floats, rewards: Floats) -> NDArray[np.int64]:
    """Indices of the rows that no other beats: none has a higher reward at no higher cost, nor the same at a lower one.

    Args:
        costs: (N,) what is to be low, such as parameters.
        rewards: (N,) what is to be high.

    Returns:
        By ascending cost, hence by ascending reward; of equal rows the first.
    """
    order = np.lexsort((np.arange(len(costs)), -rewards, costs))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(rewards[order])[:-1]])
    return order[rewards[order] > best_before]


def rolling(rewards: Floats, window: int) -> Floats:
    """(N,) means of the `window` rewards that end at each; of the first ones, of those there are."""
    sums = np.concatenate([[0.0], np.cumsum(rewards)])
    ends = np.arange(1, len(rewards) + 1)
    starts = np.maximum(0, ends - window)
    means: Floats = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def importances(rows: Sequence[Mapping[str, Value]], rewards: Floats) -> Importances:
    """What each decision is worth.

    An additive model (ridge regression on the levels of all decisions) is fitted to three quarters of the rows. It
    knows no interplay of decisions, and where two go together it divides what they are worth between them; its R^2 says
    how far it can be trusted.

    Args:
        rows: The decisions of N different architectures.
        rewards: (N,) of them.
    """
    chosen = np.unique(np.linspace(0, max(0, len(rows) - 1), min(len(rows), MOST_ROWS)).astype(int))
    rows, rewards = [rows[index] for index in chosen], rewards[chosen]
    if len(rows) < LEAST_ROWS or float(np.ptp(rewards)) == 0.0:
        return Importances(0.0, len(rows), ())
    names = list(dict.fromkeys(name for row in rows for name in row))
    coded = [(name, *_levels([row.get(name) for row in rows])) for name in names]
    coded = [one for one in coded if _varies(one[1])]
    if not coded:
        return Importances(0.0, len(rows), ())
    held = np.arange(len(rows)) % HELD_OUT == HELD_OUT - 1
    fit = _Additive([codes for _, codes, _ in coded], [len(labels) for _, _, labels in coded], rewards, ~held)
    random = np.random.default_rng(0)
    found = []
    for index, (name, codes, labels) in enumerate(coded):
        falls = fit.falls(index, held, random)
        levels = _effects(codes, labels, rewards)
        found.append(Worth(name, float(falls.mean()), float(falls.std()), levels))
    found.sort(key=lambda worth: -worth.importance)
    return Importances(fit.r2(held), len(rows), tuple(found))


def _varies(codes: NDArray[np.int64]) -> bool:
    return bool(np.bincount(codes).max() <= (1 - LEAST_VARIED) * len(codes))


def _levels(values: Sequence[Value | None]) -> tuple[NDArray[np.int64], list[str]]:
    """Of each row the index of its level, and the levels' labels in the order of their values."""
    numbers = sorted({value for value in values if isinstance(value, int | float)})
    words = sorted({value for value in values if isinstance(value, str)})
    if len(numbers) > MOST_LEVELS:
        known = np.array([value for value in values if isinstance(value, int | float)], dtype=float)
        edges = np.unique(np.quantile(known, np.linspace(0, 1, MOST_LEVELS + 1)[1:-1]))
        groups: dict[int, list[float]] = {}
        for number in numbers:
            groups.setdefault(int(np.searchsorted(edges, number, side="left")), []).append(number)
        parts = [groups[group] for group in sorted(groups)]
    else:
        parts = [[number] for number in numbers]
    labels = [f"{part[0]:g}" if len(part) == 1 else f"{part[0]:g} to {part[-1]:g}" for part in parts]
    index: dict[Value | None, int] = {number: place for place, part in enumerate(parts) for number in part}
    for word in words:
        index[word] = len(labels)
        labels.append(word)
    if any(value is None for value in values):
        index[None] = len(labels)
        labels.append(ABSENT)
    return np.array([index[value] for value in values]), labels


def _effects(codes: NDArray[np.int64], labels: Sequence[str], rewards: Floats) -> tuple[Level, ...]:
    counts = np.bincount(codes, minlength=len(labels))
    means = np.bincount(codes, rewards, len(labels)) / counts
    # One spread for all levels, as in an analysis of variance: that of a level of two rows is a matter of luck.
    within = float(np.sqrt(((rewards - means[codes]) ** 2).sum() / max(1, len(rewards) - len(labels))))
    return tuple(
        Level(label, int(count), float(mean - rewards.mean()), within / float(np.sqrt(count)))
        for label, count, mean in zip(labels, counts, means, strict=True)
    )


class _Additive:
    """A coefficient for each level of each decision; a prediction is the sum of those that a row has."""

    def __init__(
        self, codes: Sequence[NDArray[np.int64]], sizes: Sequence[int], rewards: Floats, fitted: NDArray[np.bool_]
    ) -> None:
        starts = np.concatenate([[0], np.cumsum(sizes)])
        matrix = np.zeros((len(rewards), starts[-1]), dtype=np.float32)
        for start, of_decision in zip(starts, codes, strict=False):
            matrix[np.arange(len(rewards)), start + of_decision] = 1.0
        known, self._mean = matrix[fitted], float(rewards[fitted].mean())
        centred = (rewards[fitted] - self._mean).astype(np.float32)
        gram = (known.T @ known).astype(np.float64) + RIDGE * np.eye(starts[-1])
        weights = np.linalg.solve(gram, (known.T @ centred).astype(np.float64))
        self._rewards = rewards
        self._parts = [
            weights[start:stop][of_decision]
            for start, stop, of_decision in zip(starts, starts[1:], codes, strict=False)
        ]
        self._predicted: Floats = self._mean + np.sum(self._parts, axis=0)

    def r2(self, rows: NDArray[np.bool_]) -> float:
        """On some rows."""
        return self._r2(rows, self._predicted[rows])

    def falls(self, decision: int, rows: NDArray[np.bool_], random: np.random.Generator) -> Floats:
        """By how much R^2 falls with each shuffle of one decision."""
        before, part = self.r2(rows), self._parts[decision][rows]
        rest = self._predicted[rows] - part
        return np.array([before - self._r2(rows, rest + random.permutation(part)) for _ in range(SHUFFLES)])

    def _r2(self, rows: NDArray[np.bool_], predicted: Floats) -> float:
        true = self._rewards[rows]
        total = float(((true - true.mean()) ** 2).sum())
        return 1.0 - float(((true - predicted) ** 2).sum()) / total if total else 0.0
