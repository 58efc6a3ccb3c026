"""The written form of a cell, `cell[(h-1 id, h-2 sep3x3), (h-1 max3x3, b1 id)]`.

    cell   = "cell[" block { "," block } "]"
    block  = "(" term "," term ")"
    term   = source operator
    source = "h-" number | "b" number

Sources are earlier cells (`h-1` is the one before) and blocks of this cell, counted from 1, that come before. Space
between words is free.
"""

import re

from nasd.spaces.base import GrammarError
from nasd.spaces.cells.cell import FIRST_BLOCK, MAX_BLOCKS, OPERATORS, Block, Term

MAX_TEXT = 10_000  # characters; the longest cell has some 400

_SPACE = re.compile(r"[ \t\r\n]*")
_SOURCE = re.compile(r"(h-|b)([1-9][0-9]?)(?![0-9A-Za-z])")
_OPERATOR = re.compile(r"[0-9A-Za-z-]+")


def parse(text: str, lookback: int) -> tuple[Block, ...]:
    """Read the blocks as they are written.

    Args:
        text: Any string.
        lookback: How many earlier cells there are to read.

    Raises:
        GrammarError: With the position and what was expected; no other error for any string.
    """
    if len(text) > MAX_TEXT:
        raise GrammarError(text, MAX_TEXT, f"the end after at most {MAX_TEXT} characters")
    return _Reader(text, lookback).blocks()


class _Reader:
    """Walks a text once, left to right."""

    def __init__(self, text: str, lookback: int) -> None:
        self._text, self._lookback = text, lookback
        self._at = 0
        self._skip_space()

    def blocks(self) -> tuple[Block, ...]:
        self._take("cell")
        self._take("[")
        blocks = [self._block(0)]
        while self._peek() == ",":
            self._take(",")
            if len(blocks) == MAX_BLOCKS:
                raise self._error(f"the end after at most {MAX_BLOCKS} blocks")
            blocks.append(self._block(len(blocks)))
        if self._peek() != "]":
            raise self._error("',' or ']'")
        self._take("]")
        if self._at < len(self._text):
            raise self._error("nothing after ']'")
        return tuple(blocks)

    def _block(self, number: int) -> Block:
        self._take("(")
        first = self._term(number)
        self._take(",")
        second = self._term(number)
        self._take(")")
        return (first, second)

    def _term(self, number: int) -> Term:
        found = _SOURCE.match(self._text, self._at)
        if found is None:
            raise self._error("a source: h-1, h-2, ... for earlier cells, b1, b2, ... for blocks before this one")
        index = int(found[2]) - 1
        if found[1] == "b" and index >= number:
            before = f"a block before this one, at most b{number}" if number else "h-1, ...: block 1 has none before it"
            raise self._error(before)
        if found[1] == "h-" and index >= self._lookback:
            raise self._error(f"an earlier cell, at most h-{self._lookback} (space.lookback)")
        self._move_to(found.end())
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None or operator[0] not in OPERATORS:
            raise self._error(f"an operator: {', '.join(OPERATORS)}")
        self._move_to(operator.end())
        return Term(index + FIRST_BLOCK if found[1] == "b" else index, OPERATORS.index(operator[0]))

    def _take(self, word: str) -> None:
        if not self._text.startswith(word, self._at):
            raise self._error(f"'{word}'")
        self._move_to(self._at + len(word))

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
