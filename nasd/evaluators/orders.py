"""What a worker is asked to do: one record for each kind of work. Torch-free; JSON between daemon and workers."""

import msgspec


class _Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="evaluator"):
    pass


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A look at an architecture of which only the first images are encoded."""

    images: int  # of the training split
    floor: float | None = None  # score below which the evaluation ends; None: it goes on in any case
    gain: float = 0.0  # by which rewards exceed this look's scores, as far as is known


class DeepPrior(_Order, frozen=True, tag="deep_prior"):
    """Evaluate an architecture with random weights (`nasd.evaluators.deep_prior`)."""

    net: str
    seed: int
    epochs: int | None = None  # None: the run's
    keep_above: float | None = None  # stage the embedding if the reward is higher; None: never
    screen_floor: float | None = None  # quick score below which the evaluation ends; None: it does not
    rungs: tuple[Rung, ...] = ()  # ascending
    staging: str | None = None  # folder to stage it in; None: the worker's own

    @property
    def subject(self) -> str:
        """What it is about, for those who look on."""
        return self.net


class Training(_Order, frozen=True, tag="training"):
    """Train a whole network (`nasd.evaluators.training`)."""

    net: str
    seed: int
    epochs: int | None = None  # None: the run's
    weights: str | None = None  # path with which the names of its files begin; None: none is written
    keep_weights: bool = False  # not only the checkpoint

    @property
    def subject(self) -> str:
        """What it is about, for those who look on."""
        return self.net


class Supernet(_Order, frozen=True, tag="supernet"):
    """Train a supernet for one epoch (`nasd.evaluators.supernet`)."""

    epoch: int  # from 1
    seed: int
    end: str  # name of the file that it leaves
    begin: str | None = None  # the file that the epoch before it left; None: the first one draws its weights

    @property
    def subject(self) -> str:
        """What it is about, for those who look on."""
        return f"epoch {self.epoch}"


class Think(_Order, frozen=True, tag="think"):
    """Think for the run's strategy (`Strategy.work`)."""

    name: str  # in words
    request: bytes
    inputs: dict[str, str] = {}  # files of the run that it reads: paths by name

    @property
    def subject(self) -> str:
        """What it is about, for those who look on."""
        return self.name


Evaluation = DeepPrior | Training | Supernet
Order = Evaluation | Think


def evaluator_of(order: Evaluation) -> str:
    """The name of the evaluator that an order is for."""
    return str(type(order).__struct_config__.tag)


def short(order: Order | None) -> Order | None:
    """The same in little time, and leaving nothing behind; None where there is no such order."""
    match order:
        case DeepPrior():
            return msgspec.structs.replace(order, epochs=1, keep_above=None, screen_floor=None, rungs=())
        case Training():
            return msgspec.structs.replace(order, epochs=1, weights=None, keep_weights=False)
    return None
