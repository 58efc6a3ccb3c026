"""A filter of trials, as `nasd.filters` reads it, put to a run."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nasd import filters
from nasd.spaces.base import GrammarError, Space
from store import Condition


def conditions(alternatives: filters.Alternatives) -> tuple[tuple[Condition, ...], ...]:
    """A filter as the store takes it."""
    return tuple(
        tuple(Condition(term.field, term.operator, term.value, term.negated) for term in terms)
        for terms in alternatives
    )


def size_of(space: Space[Any]) -> Callable[[str], tuple[int, int]]:
    """What tells the layers, as they are written, and the weights of an architecture."""

    def size(net: str) -> tuple[int, int]:
        try:
            graph = space.graph(space.parse(net))
        except GrammarError:  # an imported one, which this space does not have
            return 0, 0
        return sum(bool(node.text) for node in graph.nodes), graph.parameters

    return lru_cache(maxsize=4096)(size)
