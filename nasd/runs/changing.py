"""`nasd set`, `nasd fork --set`: a run goes on under another config, from where it stands."""

from dataclasses import asdict
from itertools import islice
from typing import Any, NamedTuple

from nasd import config as configuration
from nasd import rooms
from nasd.config import Config
from nasd.errors import ConfigError, NasdError
from nasd.runs import changeable, changes
from nasd.runs.opening import proposal_of, stored
from nasd.strategies.base import Proposal, Strategy
from store import Checkpoint, Delta, Run


class Prepared(NamedTuple):
    """A change that is ready to be made: by a commit of `delta`, with which the search goes on."""

    config: Config  # that holds from then on
    keys: dict[str, tuple[Any, Any]]  # (before, after) by dotted key
    strategy: Strategy  # it has proposed what follows
    opened: tuple[Proposal, ...]
    delta: Delta
    notes: tuple[str, ...]  # a sentence for each setting that has no effect


def change(run: Run, settings: tuple[str, ...], *, forked: bool = False) -> list[str]:
    """Change a run's config from here on.

    Returns:
        A line for each key: what it was and what it is.

    Raises:
        StoreError: The disk refused, or the run is open for reading only. Besides, as `prepare`, whose arguments it
            takes; the run is open for writing.
    """
    prepared = prepare(run, settings, forked=forked)
    if prepared is None:
        return []
    run.commit(prepared.delta)
    return [*(f"{key}: {was} before, {now} from now on" for key, (was, now) in prepared.keys.items()), *prepared.notes]


def prepare(run: Run, settings: tuple[str, ...], *, forked: bool = False) -> Prepared | None:
    """Look whether a run's config may change, and what would follow from it.

    Args:
        run: Between two steps of its search.
        settings: `section.key=value` each, the value written as YAML.
        forked: The run was forked for this: what trials so far rest on may change too.

    Returns:
        None: The run has these values.

    Raises:
        ConfigError: A key must not change, a value is impossible, the strategy cannot go on with it, or `config.yaml`
            is not what the run was created with.
        StoreError: The run cannot be read.
    """
    checkpoint = run.checkpoint()
    made = changes.of_flags(run, checkpoint.flags)
    before = changes.config_with(run, made)
    changes.require_as_created(run)
    begun = checkpoint.position is not None
    this = changes.Change(checkpoint.trials if begun else changes.BEFORE_ALL, checkpoint.learned, settings)
    after = changes.config_with(run, (*made, this))
    keys = changeable.differences(before, after)
    if not keys:
        return None
    changeable.require(before, after, keys, _strategy(run, before, checkpoint), forked=forked)
    strategy = _strategy(run, after, checkpoint)
    opened = propose(strategy, (after.search.lookahead or 1) - len(checkpoint.open)) if begun else ()
    delta = Delta(
        opened=stored(opened),
        position=strategy.position() if begun else None,
        flags={
            changes.FLAG: [asdict(entry) for entry in (*made, this)],
            "total": strategy.progress().of,
            "finished": strategy.finished,
        },
    )
    known = configuration.without_effect(before)
    notes = tuple(note for note in configuration.without_effect(after) if note not in known)
    return Prepared(after, keys, strategy, opened, delta, notes)


def propose(strategy: Strategy, room: int) -> tuple[Proposal, ...]:
    """Ask a strategy for proposals where it stands, as the scheduler does."""
    if room <= 0 or strategy.finished or strategy.work() is not None:
        return ()
    return strategy.propose(room)


def goes_on(run: Run, config: Config, old: Strategy, learned: int, open: tuple[Proposal, ...]) -> Strategy:
    """A strategy that goes on under another config where `old` stands.

    Args:
        run: What was learned is read from it.
        config: The new one.
        old: As it is.
        learned: How many payloads had been committed.
        open: Its open proposals.

    Raises:
        ValueError: It cannot.
    """
    strategy = rooms.strategy(config, rooms.space(config))
    strategy.restore(old.position(), islice(run.learned(), learned), open)
    return strategy


def _strategy(run: Run, config: Config, checkpoint: Checkpoint) -> Strategy:
    strategy = rooms.strategy(config, rooms.space(config))
    try:
        strategy.restore(checkpoint.position, run.learned(), tuple(map(proposal_of, checkpoint.open)))
    except (ValueError, NasdError) as error:
        raise ConfigError(f"the search in {run.path} cannot go on with this: {error}") from error
    return strategy
