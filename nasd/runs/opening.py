"""A run's search as its last commit left it: what a reader of the directory needs beyond single trials."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from nasd import rooms
from nasd.config import Config
from nasd.errors import NasdError
from nasd.runs import changes
from nasd.spaces.base import Space
from nasd.strategies.base import Proposal, Strategy
from store import Checkpoint, OpenProposal, Run


class Search(NamedTuple):
    """A run's parts, and the checkpoint that its strategy stands at."""

    config: Config
    space: Space[Any]
    strategy: Strategy
    checkpoint: Checkpoint


def search_of(run: Run) -> Search:
    """Restore a run's strategy.

    Raises:
        ConfigError: The run's config cannot be read, or is not what the run was created with.
        NasdError: The checkpoint does not fit the config.
        StoreError: The run cannot be read.
    """
    config = changes.config_with(run, changes.of_flags(run, run.flags()))
    space = rooms.space(config)
    strategy = rooms.strategy(config, space)
    checkpoint = run.checkpoint()
    try:
        strategy.restore(checkpoint.position, run.learned(), tuple(map(proposal_of, checkpoint.open)))
    except ValueError as error:
        raise NasdError(f"the checkpoint in {run.path} does not fit its config: {error}") from error
    changes.require_as_created(run)  # last: what is wrong with a changed one says more than that it was changed
    return Search(config, space, strategy, checkpoint)


def stored(proposals: Iterable[Proposal]) -> tuple[OpenProposal, ...]:
    """A strategy's proposals as they are stored."""
    return tuple(OpenProposal(p.number, p.net, p.kind, p.reason, p.stage, dict(p.facts)) for p in proposals)


def proposal_of(stored: OpenProposal) -> Proposal:
    """A stored proposal as a strategy's."""
    return Proposal(stored.number, stored.net, stored.kind, stored.stage, stored.facts, stored.reason)
