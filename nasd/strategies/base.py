"""The interface of a search strategy, and the records that cross it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nasd.outcome import Outcome
from nasd.spaces.layers import Architecture, State

ProposalKind = Literal["evaluate", "duplicate", "infeasible"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One architecture that a strategy asks about.

    `number` counts proposals from 1 and is the trial's number. Only kind `evaluate` needs an evaluator: a `duplicate`
    was proposed before (its reward is taken over when its turn comes), an `infeasible` one gets reward 0.
    """

    number: int
    architecture: Architecture
    epsilon: float
    kind: ProposalKind
    reason: str | None = None  # why infeasible


@dataclass(frozen=True, slots=True)
class Update:
    """Everything one observation changed, ready to be committed.

    Transitions are (state, action) pairs, numbered from 0 in the order in which they were first updated; `states` and
    `transitions` list those that this observation numbered, `q_ids`/`q_values` every Q-value it touched, with its
    final value. `path` is the observed architecture as transition numbers: the replay row.
    """

    number: int
    reward: float
    counted: bool  # whether it advanced the epsilon schedule
    duplicate_of: int | None
    path: tuple[int, ...]
    states: tuple[State, ...]
    transitions: tuple[tuple[int, int], ...]  # (state number, action's state number)
    q_ids: tuple[int, ...]
    q_values: tuple[float, ...]


class Strategy(ABC):
    """Proposes architectures, observes rewards. Pure: no I/O, no clock, one random stream.

    Call order is the caller's and is part of the result: the same calls in the same order from the same state give
    the same proposals, bit for bit.
    """

    @abstractmethod
    def propose(self) -> Proposal:
        """Draw the next proposal, numbered one above the last.

        Raises:
            SearchFinishedError: The schedule is used up (`finished`).
        """

    @abstractmethod
    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Update:
        """Learn from a proposal's outcome.

        Args:
            proposal: As `propose` returned it, observed for the first time.
            outcome: None for the kinds that are not evaluated. A `Failed` outcome has reward 0, is learned from, and
                does not count towards the schedule.

        Raises:
            ValueError: The outcome is missing for kind `evaluate` or given for another, the proposal was never made
                or already observed, or it is a duplicate of one that has not been observed yet.
        """

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether the schedule is used up."""

    @abstractmethod
    def position(self) -> dict[str, Any]:
        """The small part of the state, JSON-able: random state, schedule position, last number. Committed with every
        trial; together with the committed updates and open proposals it is all that `load_state_dict` needs.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on; a fresh object given it continues bit for bit."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: A part is missing or does not fit the search space; the message names it.
        """


class SearchFinishedError(Exception):
    """`propose` was called after the schedule was used up."""
