"""The seam of a search space: what strategies, evaluators and the daemon ask about architectures, whatever they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from nasd.errors import NasdError
from nasd.graph import Graph

if TYPE_CHECKING:
    import numpy as np

A = TypeVar("A")
"""A space's own kind of architecture. Immutable and hashable; `str()` is its identity, which the store keeps."""


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Why an architecture is not worth evaluating, in one sentence."""

    reason: str


class GrammarError(NasdError):
    """A string that is no architecture.

    Attributes:
        position: Index of the first character that does not fit.
        expected: What would have fitted there.
    """

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.position = position
        self.expected = expected
        found = text[position : position + 12]
        shown = f"{found!r}" if found else "the end"
        super().__init__(f"not an architecture: at character {position + 1} expected {expected}, found {shown}")


class Space(Protocol[A]):
    """The architectures that a config allows. Pure: no I/O, no torch, random numbers only from the caller's stream."""

    def parse(self, text: str) -> A:
        """Read what `str()` of an architecture wrote, or a person: any architecture that can be built.

        Raises:
            GrammarError: With the position and what was expected; no other error for any string.
        """
        ...

    def feasible(self, architecture: A) -> Infeasible | None:
        """Why it should not be evaluated, or None if it should."""
        ...

    def graph(self, architecture: A) -> Graph:
        """Its nodes, edges, shapes and parameters, the classifier included."""
        ...

    def decisions(self, architecture: A) -> Mapping[str, str | float]:
        """What was decided when it was made, by name, for people who ask what each decision is worth.

        A decision that other architectures of the space have and this one has not, such as the size of a layer that is
        not there, is left out.
        """
        ...

    def sample(self, random: "np.random.Generator") -> A:
        """Draw an architecture, as the space's own steps lead to it; it may be infeasible."""
        ...

    def mutate(self, architecture: A, random: "np.random.Generator") -> A:
        """Draw a neighbour: one change, and again an architecture of this space; it may be infeasible."""
        ...
