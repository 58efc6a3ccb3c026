"""The written form of an architecture, `[C(32,5,1,2,1), P(4,4,0,0), SM(10)]`: text to layers, and a state's text.

    architecture = "[" layer { "," layer } "]"
    layer        = name "(" number { "," number } ")"

Names and their numbers, in the *padded* notation (DP-NAS): `C(features,size,stride,padding,1)` a convolution,
`C(features,3,1,1,0)` a wide-residual block, `P(size,stride,0,0)`, `FC(units)`, `SM(classes)`. In the *valid* notation
(CODEBRIM), which knows no padding, `C` has four numbers: `C(features,size,stride,1)`, `C(features,3,1,0)`, and
`C(features,levels,0,2)` for spatial pyramid pooling. Spaces are free. Only the shape is checked here; whether the
layers fit each other is `nasd.spaces.layers.parse`'s part.
"""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from nasd.spaces.base import GrammarError
from nasd.spaces.layers.state import State

Notation = Literal["padded", "valid"]
LayerName = Literal["C", "P", "FC", "SM"]

MAX_TEXT = 10_000  # characters; the longest architecture of a search has some 400
MAX_DIGITS = 6

_COUNTS: dict[LayerName, tuple[int, ...]] = {"C": (5, 4), "P": (4,), "FC": (1,), "SM": (1,)}
_SPACE = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"[0-9]+")
_NUMBERS = re.compile(rf"\(([0-9]{{1,{MAX_DIGITS}}}(?:,[0-9]{{1,{MAX_DIGITS}}})*)\)")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as written: its name and numbers, and where they stand in the text."""

    name: LayerName
    numbers: tuple[int, ...]
    position: int
    number_positions: tuple[int, ...]


def read_layers(text: str) -> tuple[Layer, ...]:
    """Split a string into its layers.

    Raises:
        GrammarError: For any string that does not have the shape above, and no other error for any string.
    """
    if len(text) > MAX_TEXT:
        raise GrammarError(text, MAX_TEXT, f"the end after at most {MAX_TEXT} characters")
    return _Reader(text).architecture()


def layer_text(state: State, num_classes: int, notation: Notation = "padded") -> str:
    """How a state is written, such as `C(32,5,1,2,1)`; the end is `SM(num_classes)`, the start the empty string."""
    if state.terminate:
        return f"SM({num_classes})"
    match state.layer_type:
        case "start":
            return ""
        case "fc":
            return f"FC({state.fc_size})"
        case "max_pool":
            return f"P({state.filter_size},{state.stride},0,0)"
        case "spp":
            return f"C({state.filter_depth},{state.filter_size},0,2)"
        case "conv" | "wrn":
            padding = f"{state.padding}," if notation == "padded" else ""
            plain = int(state.layer_type == "conv")
            return f"C({state.filter_depth},{state.filter_size},{state.stride},{padding}{plain})"


class _Reader:
    """Walks a text once, left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def architecture(self) -> tuple[Layer, ...]:
        self._skip_space()
        self._take("[")
        layers = [self._layer()]
        while self._peek() == ",":
            self._take(",")
            layers.append(self._layer())
        if self._peek() != "]":
            raise self._error("',' or ']'")
        self._take("]")
        if self._at < len(self._text):
            raise self._error("nothing after ']'")
        return tuple(layers)

    def _layer(self) -> Layer:
        position = self._at
        name = self._name()
        found = _NUMBERS.match(self._text, self._at)
        if found is not None and len(words := found[1].split(",")) in _COUNTS[name]:  # as `layer_text` writes them
            starts = tuple(accumulate((len(word) + 1 for word in words[:-1]), initial=found.start(1)))
            self._move_to(found.end())
            return Layer(name, tuple(map(int, words)), position, starts)
        self._take("(")
        numbers, positions = [], []
        while True:
            positions.append(self._at)
            numbers.append(self._number())
            if self._peek() != ",":
                break
            if len(numbers) == max(_COUNTS[name]):
                raise self._error("')'")
            self._take(",")
        if len(numbers) not in _COUNTS[name]:
            raise self._error(f"',': {name} has {' or '.join(map(str, _COUNTS[name]))} numbers")
        if self._peek() != ")":
            raise self._error("')'" if len(numbers) == max(_COUNTS[name]) else "',' or ')'")
        self._take(")")
        return Layer(name, tuple(numbers), position, tuple(positions))

    def _name(self) -> LayerName:
        found = _NAME.match(self._text, self._at)
        if found is None or found[0] not in _COUNTS:
            raise self._error("a layer: C(...), P(...), FC(...) or SM(...)")
        self._move_to(found.end())
        return found[0]

    def _number(self) -> int:
        found = _NUMBER.match(self._text, self._at)
        if found is None or len(found[0]) > MAX_DIGITS:
            raise self._error(f"a whole number of at most {MAX_DIGITS} digits")
        self._move_to(found.end())
        return int(found[0])

    def _take(self, character: str) -> None:
        if self._peek() != character:
            raise self._error(f"'{character}'")
        self._move_to(self._at + 1)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _move_to(self, position: int) -> None:
        self._at = position
        self._skip_space()

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found is not None:  # always: the pattern matches the empty string too
            self._at = found.end()

    def _error(self, expected: str) -> GrammarError:
        return GrammarError(self._text, self._at, expected)
