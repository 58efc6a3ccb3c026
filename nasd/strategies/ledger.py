"""Which architectures were proposed, which are open, and what was observed: bookkeeping that strategies share."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nasd.outcome import Failed, Outcome
from nasd.spaces.base import GrammarError, Space
from nasd.strategies.base import Learned, Observed, Proposal, ProposalKind


class Row(msgspec.Struct, frozen=True, array_like=True, tag="row"):
    """An observation, and the payload that a strategy has to read again to know of it."""

    number: int  # the trial's
    net: str
    reward: float
    parent: int | None = None  # trial of the architecture that it was made from, as the proposal's facts say


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Row)


class Ledger:
    """Numbers proposals, tells duplicates and infeasible architectures, gives rewards.

    Rewards follow the contract of `Strategy.observe`; a trial counts if its reward is above 0. Its state is a function
    of the rows and the open proposals, in any order of observation.

    Attributes:
        rows: What was observed, in that order.
        open: Proposals that have not been observed, by number.
        counted: Rows with a reward above 0.
    """

    def __init__(self, space: Space[Any]) -> None:
        self._space = space
        self._first: dict[str, Row] = {}
        self._open_nets: dict[str, int] = {}  # how many open proposals name it
        self._last_number = 0
        self.rows: list[Row] = []
        self.open: dict[int, Proposal] = {}
        self.counted = 0

    def knows(self, net: str) -> bool:
        """Whether it was proposed before."""
        return net in self._first or net in self._open_nets

    def propose(self, architecture: Any, stage: str = "", facts: Mapping[str, Any] | None = None) -> Proposal:
        """Open a proposal of the kind that the architecture is."""
        net, reason = str(architecture), None
        kind: ProposalKind = "evaluate"
        if self.knows(net):
            kind = "duplicate"
        elif (infeasible := self._space.feasible(architecture)) is not None:
            kind, reason = "infeasible", infeasible.reason
        proposal = Proposal(self._last_number + 1, net, kind, stage, dict(facts or {}), reason)
        self._add_open(proposal)
        return proposal

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Close a proposal with its reward; the row is what is learned.

        Raises:
            ValueError: As `Strategy.observe`; nothing has changed.
        """
        if self.open.get(proposal.number) != proposal:
            raise ValueError(f"proposal {proposal.number} was never made or has been observed already")
        first = self._first.get(proposal.net)
        reward = reward_of(proposal, outcome, first.reward if first else None)
        del self.open[proposal.number]
        self._open_nets[proposal.net] -= 1
        if not self._open_nets[proposal.net]:
            del self._open_nets[proposal.net]
        row = Row(proposal.number, proposal.net, reward, proposal.facts.get("parent"))
        self._add_row(row)
        return Observed(reward, reward > 0, first.number if first else None, Learned(_encoder.encode(row)))

    def restore(self, learned: Iterable[bytes], open: Sequence[Proposal]) -> Iterator[Row]:
        """Fill an empty ledger, row by row; the open proposals come after the last row.

        Raises:
            ValueError: A payload is no row, a number is given twice or skipped, or an open proposal is none of this
                space.
        """
        numbers = set[int]()
        for payload in learned:
            row = decode(payload)
            numbers.add(row.number)
            self._add_row(row)
            yield row
        for proposal in open:
            self._parse(proposal)
            numbers.add(proposal.number)
            self._add_open(proposal)
        if len(numbers) != len(self.rows) + len(open) or (numbers and numbers != set(range(1, max(numbers) + 1))):
            raise ValueError("the numbers of the trials and open proposals are not 1, 2, ... each once")

    def _add_row(self, row: Row) -> None:
        self.rows.append(row)
        self._first.setdefault(row.net, row)
        self.counted += row.reward > 0
        self._last_number = max(self._last_number, row.number)

    def _add_open(self, proposal: Proposal) -> None:
        self.open[proposal.number] = proposal
        self._open_nets[proposal.net] = self._open_nets.get(proposal.net, 0) + 1
        self._last_number = max(self._last_number, proposal.number)

    def _parse(self, proposal: Proposal) -> None:
        try:
            self._space.parse(proposal.net)
        except GrammarError as error:
            raise ValueError(f"open proposal {proposal.number} is none of this space: {error}") from error


def decode(payload: bytes) -> Row:
    """Read what `Ledger.observe` returned as learned.

    Raises:
        ValueError: It is something else.
    """
    try:
        row = _decoder.decode(payload)
        checked_reward(row.reward)
    except ValueError as error:  # msgspec's errors are such
        raise ValueError(f"what was learned is no row of an observation: {error}") from error
    return row


def reward_of(proposal: Proposal, outcome: Outcome | None, first: float | None) -> float:
    """The reward of an observation.

    Args:
        proposal: What is observed.
        outcome: What came of its evaluation.
        first: The reward of the same architecture when it was observed first; None: it was not yet.

    Raises:
        ValueError: As `Strategy.observe`.
    """
    if (outcome is None) == (proposal.kind == "evaluate"):
        wanted = "needs an outcome" if outcome is None else "takes no outcome"
        raise ValueError(f"proposal {proposal.number} of kind {proposal.kind!r} {wanted}")
    if proposal.kind == "duplicate":
        if first is None:
            raise ValueError(f"proposal {proposal.number} duplicates one that has not been observed yet")
        return first
    if outcome is None or isinstance(outcome, Failed):
        return 0.0
    return checked_reward(outcome.reward)


def checked_reward(reward: float) -> float:
    """The reward as a float. Raises ValueError if it is none that a search can learn from."""
    if not (math.isfinite(reward) and reward >= 0):
        raise ValueError(f"a reward is a number from 0 up, not {reward}")
    return float(reward)
