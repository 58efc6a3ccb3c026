"""Rank correlation, in exact arithmetic: the same number on every computer."""

import statistics
from collections.abc import Sequence


def ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        stop = start
        while stop < len(order) and values[order[stop]] == values[order[start]]:
            stop += 1
        for place in order[start:stop]:
            found[place] = (start + 1 + stop) / 2
        start = stop
    return found


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's; 0 where all values of either are equal."""
    of_x, of_y = ranks(x), ranks(y)
    return statistics.correlation(of_x, of_y) if len(set(of_x)) > 1 and len(set(of_y)) > 1 else 0.0
