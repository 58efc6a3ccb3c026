"""From layers as written to the states they stand for."""

from nasd.spaces.base import GrammarError
from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.grammar import Layer, Notation, read_layers
from nasd.spaces.layers.state import (
    State,
    conv_state,
    end_state,
    fc_state,
    pool_state,
    spp_state,
    start_state,
    wrn_state,
)


def parse(text: str, patch_size: int, num_classes: int) -> Architecture:
    """Read an architecture for images of `patch_size` pixels a side and `num_classes` classes.

    Every architecture that can be built is read, whether a search could propose it or not: a layer must come where
    it may (a convolution first, then convolutions and pooling, spp at most once, fully connected layers, the end), its
    window must fit into the padded image, and padding must be smaller than the window. Sizes that do not divide round
    down, as torch does.

    Raises:
        GrammarError: With the position of what does not fit and what would; no other error for any string.
    """
    return _Builder(text, patch_size, num_classes).build()


class _Builder:
    """The states so far, and which layers may follow them."""

    def __init__(self, text: str, patch_size: int, num_classes: int) -> None:
        self._text = text
        self._num_classes = num_classes
        self._state = start_state(patch_size)
        self._notation: Notation | None = None

    def build(self) -> Architecture:
        states = []
        for layer in read_layers(self._text):
            self._check_order(layer)
            self._state = self._next(layer)
            states.append(self._state)
        if not self._state.terminate:
            raise GrammarError(self._text, self._text.rindex("]"), f"the end SM({self._num_classes}) before ']'")
        return Architecture(tuple(states), self._num_classes, self._notation or "padded")

    def _check_order(self, layer: Layer) -> None:
        before = self._state
        if before.terminate:
            raise GrammarError(self._text, layer.position, "nothing after SM(...)")
        if before.layer_type == "start" and layer.name != "C":
            raise GrammarError(self._text, layer.position, "a convolution C(...) as the first layer")
        if before.layer_type in {"fc", "spp"} and layer.name in {"C", "P"}:
            raise GrammarError(self._text, layer.position, f"FC(...) or SM(...) after the {before.layer_type} layer")

    def _next(self, layer: Layer) -> State:
        match layer.name:
            case "C":
                return self._convolution(layer)
            case "P":
                return self._pooling(layer)
            case "FC":
                self._require(layer.numbers[0] >= 1, layer, 0, "at least 1 unit")
                return fc_state(self._state, layer.numbers[0])
            case "SM":
                classes = f"{self._num_classes}, the number of classes"
                self._require(layer.numbers[0] == self._num_classes, layer, 0, classes)
                return end_state(self._state)

    def _convolution(self, layer: Layer) -> State:
        notation: Notation = "padded" if len(layer.numbers) == 5 else "valid"
        same = self._notation in {None, notation}
        self._require(same, layer, 0, f"as many numbers as the first C has, not {len(layer.numbers)}")
        self._notation = notation
        features, kind = layer.numbers[0], layer.numbers[-1]
        self._require(features >= 1, layer, 0, "at least 1 feature")
        if kind == 2 and notation == "valid":
            return self._pyramid(layer)
        if kind == 0:
            return self._residual(layer)
        kinds = "0 (wide-residual) or 1 (convolution)" + (
            " or 2 (spatial pyramid pooling)" if notation == "valid" else ""
        )
        self._require(kind == 1, layer, len(layer.numbers) - 1, kinds)
        padding = layer.numbers[3] if notation == "padded" else 0
        self._check_window(layer, first=1, padding=padding)
        return conv_state(self._state, features, layer.numbers[1], layer.numbers[2], padding)

    def _residual(self, layer: Layer) -> State:
        for index, fixed in enumerate((3, 1, 1)[: len(layer.numbers) - 2], start=1):
            self._require(layer.numbers[index] == fixed, layer, index, f"{fixed}, as in every wide-residual block")
        return wrn_state(self._state, layer.numbers[0])

    def _pyramid(self, layer: Layer) -> State:
        features, levels, zero, _ = layer.numbers
        before = self._state
        self._require(before.layer_type != "start", layer, 3, "0 or 1: spatial pyramid pooling cannot come first")
        self._require(features == before.filter_depth, layer, 0, f"{before.filter_depth}, the features before it")
        self._require(1 <= levels <= before.image_size, layer, 1, f"1 to {before.image_size} levels")
        self._require(zero == 0, layer, 2, "0")
        return spp_state(before, levels)

    def _pooling(self, layer: Layer) -> State:
        self._check_window(layer, first=0, padding=0)
        for index in (2, 3):
            self._require(layer.numbers[index] == 0, layer, index, "0")
        return pool_state(self._state, layer.numbers[0], layer.numbers[1])

    def _check_window(self, layer: Layer, first: int, padding: int) -> None:
        """Size and stride stand at `first` and behind it; a padding, where written, behind those."""
        size, stride = layer.numbers[first : first + 2]
        self._require(padding < max(size, 1), layer, min(first + 2, len(layer.numbers) - 1), "a padding below the size")
        room = self._state.image_size + 2 * padding
        self._require(1 <= size <= room, layer, first, f"a size of 1 to {room}, to fit into the image")
        self._require(stride >= 1, layer, first + 1, "a stride of at least 1")

    def _require(self, fits: bool, layer: Layer, number: int, expected: str) -> None:
        if not fits:
            raise GrammarError(self._text, layer.number_positions[number], expected)
