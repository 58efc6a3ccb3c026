"""One network of a supernet: a choice for each of its units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Supernet:
    """Written `resnet18[1 32 1 1 32 1 1 1]`; the choices in the order in which data reach their units."""

    base: str
    choices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.base}[{' '.join(self.choices)}]"
