"""One network of a supernet: a choice for each of its units."""

from dataclasses import dataclass, field

from nasd.config import SupernetConfig
from nasd.spaces.supernet.layers import Skeleton
from nasd.spaces.supernet.skeleton import skeleton


@dataclass(frozen=True)
class Supernet:
    """Written `resnet18[1 32 1 1 32 1 1 1]`.

    Attributes:
        choices: In the order in which data reach their units.
        config: The network that they are choices of.
    """

    choices: tuple[str, ...]
    config: SupernetConfig = field(compare=False, repr=False)

    @property
    def num_classes(self) -> int:
        """Outputs of the classifier."""
        return self.config.num_classes

    @property
    def embedding_dim(self) -> int:
        """Values that the classifier reads of an image."""
        return self.skeleton.head.features

    @property
    def skeleton(self) -> Skeleton:
        """The network with all its choices."""
        return skeleton(self.config)

    def __str__(self) -> str:
        return f"{self.config.base}[{' '.join(self.choices)}]"
