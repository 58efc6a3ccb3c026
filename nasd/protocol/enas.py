"""What only ENAS has: its epochs, the controller's choices, and the architectures derived so far."""

from nasd.protocol.wire import MAX_PAGE, Message, Method, Params, Whole


class EpochsParams(Params, frozen=True):
    """`enas.epochs`: a page of the epochs, the newest first."""

    offset: Whole = 0
    limit: Whole = MAX_PAGE


class Epoch(Message, frozen=True):
    """One epoch of the supernet. Accuracies are with shared weights, fractions."""

    trial: int
    epoch: int  # from 1
    net: str  # the derived architecture: each unit's most probable choice
    accuracy: float  # of it, on the validation split
    bytes: int  # that it takes on disk
    latency: float  # as the space counts it
    mean_reward: float  # of the architectures that the controller's steps drew
    mean_accuracy: float  # of the same
    baseline: float | None
    entropy: float  # of the controller's choices, in nats, mean over the units
    changed: int  # units that the epoch before chose otherwise
    in_front: bool  # whether no other derived architecture is both smaller and better
    kept: bool  # whether its file is still there


class Epochs(Message, frozen=True):
    """A page of the epochs."""

    total: int
    of: int  # epochs of the whole search
    offset: int
    epochs: tuple[Epoch, ...]


class ChoicesParams(Params, frozen=True):
    """`enas.choices`: where the controller stands after a trial; None: after the newest epoch."""

    trial: Whole | None = None


class UnitChoices(Message, frozen=True):
    """One unit of the network."""

    label: str  # such as block 2.1
    choices: tuple[str, ...]
    probabilities: tuple[float, ...]  # given the most probable choices before it
    entropy: float  # in nats


class Standing(Message, frozen=True):
    """Where the controller stands in the middle of an epoch: the `facts` of the worker that is at it."""

    units: tuple[UnitChoices, ...]
    entropy: float  # mean over the units, in nats
    reward: float | None = None  # mean of the controller's last step; None before its first one
    baseline: float | None = None


class Choices(Message, frozen=True):
    """The controller's choices after an epoch; no units before the first one."""

    trial: int | None
    units: tuple[UnitChoices, ...]


METHODS = {
    "enas.epochs": Method(EpochsParams, Epochs),
    "enas.choices": Method(ChoicesParams, Choices),
}
