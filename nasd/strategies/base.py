"""The seam of a search strategy, and the records that cross it. Pure; no torch, no I/O, no clock.

A run is a pure function of (config, seed, rows). The caller makes all calls on a strategy one after the other, and in
the same order whenever the run is made again:

    restore                                     once, of an empty run too
    while not finished:
        while (work := work()) is not None:     heavy thinking: a worker does it
            learn(answer)                       committed: no resume thinks it again
        propose(room)                           as many as there is room for; () waits for what is open
        observe(proposal, outcome)              committed with the proposals that follow it
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from nasd.outcome import Outcome

ProposalKind = Literal["evaluate", "duplicate", "infeasible"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One architecture that a strategy asks about.

    `number` counts proposals from 1 and is the trial's number. Only kind `evaluate` needs an evaluator: a `duplicate`
    was proposed before (its reward is taken over when its turn comes), an `infeasible` one gets reward 0.
    """

    number: int
    net: str  # the architecture's written form, its identity; a name of its own where the evaluation is to find it
    kind: ProposalKind
    stage: str = ""  # which part of the search it belongs to, as one of `Progress.stages` is labelled
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the strategy wants to show of it; JSON values
    reason: str | None = None  # why infeasible


@dataclass(frozen=True, slots=True)
class Learned:
    """What a strategy has to read again to go on, in a form that it alone understands."""

    payload: bytes
    files: tuple[str, ...] = ()
    """Names of the run's files that the payload refers to: those that came with what was learned, under a name that was
    never used before, and those that came earlier and were not dropped."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of one observation."""

    reward: float
    counted: bool  # whether it advanced the search
    duplicate_of: int | None
    learned: Learned | None
    facts: Mapping[str, Any] = field(default_factory=dict)  # what is to be shown besides the proposal's; JSON values
    net: str | None = None  # the architecture, where the evaluation found it; None: the proposal's
    dropped_files: tuple[str, ...] = ()  # names of the run's files that no payload to come needs any more


@dataclass(frozen=True, slots=True)
class Work:
    """Heavy thinking that a worker does for a strategy; nothing is observed until its answer is in."""

    name: str  # in words, such as: ranking 301,056 cells
    request: bytes  # what the strategy's own `think` is given
    files: tuple[str, ...] = ()  # names of the run's files that it reads


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a search: a phase of a schedule, a level, an epoch."""

    label: str
    done: int  # trials that counted
    of: int | None  # how many it asks for; None: not known yet


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search is."""

    done: int  # trials that counted
    of: int | None  # how many the search asks for; None: not known yet
    stage: int  # index of the current one
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()  # what else there is to say, a sentence each


@dataclass(frozen=True, slots=True)
class Training:
    """An architecture that a strategy wants to have trained from scratch when it has finished."""

    net: str
    trial: int  # that it comes from
    group: str  # what it is, in a word, such as: derived
    reward: float  # what the search holds of it, with which the training is compared


@runtime_checkable
class Closing(Protocol):
    """What a strategy has besides, if it wants to have architectures trained at its end."""

    def trainings(self) -> tuple[Training, ...]:
        """Once it has finished: each architecture once, the best first. A function of what was observed."""
        ...


class Strategy(Protocol):
    """Proposes architectures, observes outcomes. One random stream, whose state is part of `position`."""

    @property
    def finished(self) -> bool:
        """Whether the search has come to its end."""
        ...

    def propose(self, room: int) -> tuple[Proposal, ...]:
        """Draw at most `room` proposals, numbered on from the last; () waits for what is open, or the end is reached.

        Nothing waits for ever: with nothing open and no work, a search that is not finished proposes.
        """
        ...

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Learn from a proposal's outcome.

        Args:
            proposal: As `propose` returned it, observed for the first time.
            outcome: None for the kinds that are not evaluated. A `Failed` outcome has reward 0 and does not count.

        Raises:
            ValueError: The outcome is missing for kind `evaluate` or given for another, the proposal was never made
                or already observed, or it is a duplicate of one that has not been observed yet.
        """
        ...

    def work(self) -> Work | None:
        """Thinking that has to be done before the search goes on: the same until `learn` takes its answer."""
        ...

    def learn(self, answer: Learned) -> None:
        """Take the answer of `work`, as it came from the worker or from the store.

        Raises:
            ValueError: There is no work, or this is not its answer.
        """
        ...

    def progress(self) -> Progress:
        """Where the search is."""
        ...

    def position(self) -> dict[str, Any]:
        """The small part of the state, JSON-able: the random stream, counters. Committed with every trial."""
        ...

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        """Take up where a checkpoint ends; the strategy then goes on bit for bit.

        Args:
            position: As `position` returned it; None: the search has not begun.
            learned: All payloads, in the order in which they were committed.
            open: Proposals that have not been observed, by number.

        Raises:
            ValueError: A part is missing or does not fit this config and space; the message names it, and the strategy
                is as it was.
        """
        ...
