"""Reading the written form of an architecture."""

import re

from nasd.config import SupernetConfig
from nasd.spaces.base import GrammarError
from nasd.spaces.supernet.architecture import Supernet
from nasd.spaces.supernet.layers import Unit

_TOKEN = re.compile(r"[^\s\[\]]+")
_SPACE = re.compile(r"\s*")


def parse(text: str, config: SupernetConfig, units: tuple[Unit, ...]) -> Supernet:
    """An architecture of this network and these units of it.

    Raises:
        GrammarError: It is none.
    """
    base, at = config.base, _skip(text, 0)
    if not text.startswith(base, at):
        raise GrammarError(text, at, f"{base}[")
    at = _skip(text, at + len(base))
    at = _expect(text, at, "[", f"[ after {base}")
    choices: list[str] = []
    for unit in units:
        at = _skip(text, at)
        found = _TOKEN.match(text, at)
        if found is None or found[0] not in unit.paths:
            raise GrammarError(text, at, f"{' or '.join(unit.paths)} for {unit.label}")
        choices.append(found[0])
        at = found.end()
    at = _expect(text, _skip(text, at), "]", f"] after {len(units)} choices")
    if (end := _skip(text, at)) != len(text):
        raise GrammarError(text, end, "the end")
    return Supernet(tuple(choices), config)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _expect(text: str, at: int, mark: str, what: str) -> int:
    if not text.startswith(mark, at):
        raise GrammarError(text, at, what)
    return at + 1
