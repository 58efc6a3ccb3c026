"""Architectures: a path of states from the first layer to the end."""

from dataclasses import dataclass, field

from nasd.spaces.layers.grammar import Notation, layer_text
from nasd.spaces.layers.state import State


@dataclass(frozen=True, slots=True)
class Architecture:
    """A finished architecture. Two are equal if their states are; `str()` is the written form.

    Attributes:
        states: From the first layer to the terminal state, without the start state; never empty.
        num_classes: Outputs of the final classifier, as in `SM(10)`.
        notation: In which of the two forms `str()` writes it.
    """

    states: tuple[State, ...]
    num_classes: int = field(compare=False)
    notation: Notation = field(default="padded", compare=False)

    @property
    def layers(self) -> tuple[State, ...]:
        """The states without the terminal one."""
        return self.states[:-1]

    @property
    def encoder(self) -> tuple[State, ...]:
        """The layers up to the embedding: all but the fully connected ones."""
        return tuple(state for state in self.layers if state.layer_type != "fc")

    @property
    def image_size(self) -> int:
        """Side of the embedding's image; its number of bins where spatial pyramid pooling ends the encoder."""
        return self.encoder[-1].image_size

    @property
    def embedding_dim(self) -> int:
        """Values of the flattened embedding of one image."""
        last = self.encoder[-1]
        positions = last.image_size if last.layer_type == "spp" else last.image_size**2
        return last.filter_depth * positions

    def __str__(self) -> str:
        return f"[{', '.join(layer_text(state, self.num_classes, self.notation) for state in self.states)}]"
