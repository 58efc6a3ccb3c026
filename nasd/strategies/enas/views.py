"""What clients see of ENAS: its epochs, and where the controller stands."""

from collections.abc import Sequence

from nasd.errors import NasdError
from nasd.outcome import entropy
from nasd.protocol.enas import Choices, ChoicesParams, Epoch, Epochs, EpochsParams, UnitChoices
from nasd.protocol.wire import MAX_PAGE
from nasd.spaces.supernet import SupernetSpace
from nasd.strategies.enas.rows import Row, kept
from nasd.strategies.enas.strategy import Enas


def epochs(strategy: Enas, space: SupernetSpace, params: EpochsParams) -> Epochs:
    """A page of the epochs, the newest first."""
    offset, limit = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
    trained, search = strategy.trained, strategy.search
    there, front = kept(trained, search.keep, search.keep_every), in_front(trained, space)
    numbers = range(len(trained), 0, -1)[offset : offset + limit]
    made = tuple(_epoch(trained, number, space, there, front) for number in numbers)
    return Epochs(total=len(trained), of=search.epochs, offset=offset, epochs=made)


def choices(strategy: Enas, space: SupernetSpace, params: ChoicesParams) -> Choices:
    """The probabilities of each unit's choices. Raises NasdError if there is no such epoch."""
    trained = strategy.trained
    if params.trial is None:
        row = trained[-1] if trained else None
    else:
        row = next((row for row in trained if row.number == params.trial), None)
        if row is None:
            raise NasdError(f"trial {params.trial} is no epoch that came to its end")
    if row is None or row.epoch is None:
        return Choices(trial=None, units=())
    units = zip(space.skeleton.units, row.epoch.probabilities, strict=True)
    return Choices(
        trial=row.number,
        units=tuple(
            UnitChoices(label=one.label, choices=one.choices, probabilities=shares, entropy=entropy(shares))
            for one, shares in units
        ),
    )


def in_front(trained: Sequence[Row], space: SupernetSpace) -> set[int]:
    """The trials whose derived architecture is beaten by none that is smaller or as small: the Pareto front."""
    sizes = {row.number: space.size(space.parse(row.epoch.net)).bytes for row in trained if row.epoch}
    front, best = set[int](), -1.0
    for row in sorted(trained, key=lambda row: (sizes[row.number], -row.reward, row.number)):
        if row.reward > best:
            front.add(row.number)
            best = row.reward
    return front


def _epoch(trained: Sequence[Row], number: int, space: SupernetSpace, there: set[str], front: set[int]) -> Epoch:
    row = trained[number - 1]
    made = row.epoch
    assert made is not None
    architecture, changed = space.parse(made.net), 0
    if number > 1 and (before := trained[number - 2].epoch) is not None:
        pairs = zip(architecture.choices, space.parse(before.net).choices, strict=True)
        changed = sum(now != then for now, then in pairs)
    return Epoch(
        trial=row.number,
        epoch=number,
        net=made.net,
        accuracy=row.reward,
        bytes=space.size(architecture).bytes,
        latency=space.latency(architecture),
        mean_reward=made.mean_reward,
        mean_accuracy=made.mean_accuracy,
        baseline=made.baseline,
        entropy=made.entropy,
        changed=changed,
        in_front=row.number in front,
        kept=row.file in there,
    )


METHODS = {"enas.epochs": epochs, "enas.choices": choices}
"""What the daemon answers for a search by ENAS, by method of the protocol."""
