"""The filter language, one for the terminal UI, the command line and the daemon. Light: no library is used.

filter = alternative { "|" alternative }
alternative = { term }                      all of them
term = ["!"] field operator value           reward>0.84  status:failed  time>30  eps=0.1  dup:no  note:again
     | ["!"] text                           looked for in architecture, status and reason; quotes keep spaces
operator = "<" "<=" ">" ">=" "=" "!=" ":"   ":" is "=" of numbers, "contains" of texts
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Generic, Literal, TypeVar

from nasd.errors import NasdError

MOST_TEXT = 1000  # characters
MOST_TERMS = 40

Row = TypeVar("Row")
Kind = Literal["share", "number", "seconds", "text", "choice", "switch"]
Operator = Literal["<", "<=", ">", ">=", "=", "!=", "contains"]

STATUSES = ("evaluated", "early_stopped", "duplicate", "infeasible", "failed")

Fields = Mapping[str, tuple[Kind, str]]
"""Of every field its kind, and what it is; of a choice the values, with commas between them."""

FIELDS: Fields = {
    "reward": ("share", "the reward, 0.84 or 84%"),
    "val": ("share", "the best validation accuracy"),
    "test": ("share", "the test accuracy"),
    "layers": ("number", "layers of the architecture"),
    "params": ("number", "weights of the network, 1e5 or 100k"),
    "dim": ("number", "values of the embedding"),
    "time": ("seconds", "seconds, 30 or 5m or 2h"),
    "memory": ("number", "bytes at the peak, 2e9 or 2G"),
    "trial": ("number", "the trial's number"),
    "eps": ("number", "epsilon, of Q-learning"),
    "status": ("choice", ", ".join(STATUSES)),
    "stage": ("text", "part of the search, such as e=0.1"),
    "device": ("text", "where it was evaluated"),
    "reason": ("text", "why it failed, was infeasible or was stopped"),
    "note": ("text", "what somebody noted"),
    "dup": ("switch", "yes or no: proposed before"),
    "counted": ("switch", "yes or no: advanced the search"),
    "imported": ("switch", "yes or no: from another search"),
    "star": ("switch", "yes or no: starred"),
}
"""Of trials."""
_FACTS = {"eps": "facts.epsilon"}
"""Fields that are short for what a strategy notes of its trials."""

_TERM = re.compile(r"""(?:"[^"]*"|[^\s|"])+|\|""")
_FIELD = re.compile(r"^([A-Za-z_][\w.]*)(<=|>=|!=|<|>|=|:)(.*)$", re.DOTALL)
_FACTOR = {"k": 1e3, "m": 1e6, "g": 1e9}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "!=": ne, "contains": lambda value, wanted: wanted in value
}  # fmt: skip
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class FilterError(NasdError):
    """A term that is none.

    Attributes:
        start: Index of its first character.
        end: Behind its last.
        expected: What would have fitted there.
    """

    def __init__(self, text: str, start: int, end: int, expected: str) -> None:
        self.start, self.end, self.expected = start, end, expected
        super().__init__(f"the filter's term {text[start:end][:60]!r} is not understood: expected {expected}")


@dataclass(frozen=True)
class Term:
    """One condition. `field` is one of `FIELDS`, or `facts.NAME`, or "" for a text looked for anywhere."""

    field: str
    operator: Operator
    value: str | float | bool
    negated: bool = False


Alternatives = tuple[tuple[Term, ...], ...]
"""At least one alternative must hold, which does if all its terms do. None: everything matches."""


def parse(text: str, fields: Fields = FIELDS) -> Alternatives:
    """Read a filter.

    Args:
        text: As it was typed.
        fields: What it may ask for.

    Raises:
        FilterError: A term is none; it names the term and what was expected.
    """
    if len(text) > MOST_TEXT:
        raise FilterError(text, MOST_TEXT, len(text), f"at most {MOST_TEXT} characters")
    if text.count('"') % 2:
        raise FilterError(text, text.rindex('"'), len(text), 'a closing "')
    found: list[list[Term]] = [[]]
    count, bar = 0, 0
    for match in _TERM.finditer(text):
        if match[0] == "|":
            if not found[-1]:
                raise FilterError(text, match.start(), match.end(), "a term before |")
            found.append([])
            bar = match.start()
            continue
        count += 1
        if count > MOST_TERMS:
            raise FilterError(text, match.start(), match.end(), f"at most {MOST_TERMS} terms")
        found[-1].append(_term(text, match.start(), match.end(), fields))
    if len(found) > 1 and not found[-1]:
        raise FilterError(text, bar, bar + 1, "a term behind |")
    return tuple(tuple(terms) for terms in found if terms)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """What can be asked of the rows of a list that is kept in memory."""

    fields: Fields
    searched: str  # where a text without a field is looked for, in words
    values: Callable[[Row], Mapping[str, str | float | bool | None]]  # of the fields; None: it has none
    texts: Callable[[Row], str]  # where a text without a field is looked for

    def matching(self, text: str) -> Callable[[Row], bool]:
        """What tells whether a row matches a filter.

        Raises:
            FilterError: A term is none.
        """
        alternatives = parse(text, self.fields)
        return lambda row: not alternatives or self._holds(alternatives, row)

    def _holds(self, alternatives: Alternatives, row: Row) -> bool:
        values: Mapping[str, str | float | bool | None] = {"": self.texts(row), **self.values(row)}
        return any(all(_fulfils(term, values[term.field]) for term in terms) for terms in alternatives)


def _fulfils(term: Term, value: str | float | bool | None) -> bool:
    """Whether a value is what a term asks for; a missing one only fulfils a negated term."""
    wanted = term.value
    if isinstance(value, str) and isinstance(wanted, str):
        value, wanted = value.casefold(), wanted.casefold()
    return (value is not None and _COMPARED[term.operator](value, wanted)) != term.negated


def needs_sizes(alternatives: Alternatives) -> bool:
    """Whether it asks for what only an architecture's graph knows."""
    return any(term.field in ("layers", "params") for terms in alternatives for term in terms)


def complete(text: str, fields: Fields = FIELDS) -> str:
    """The text with its last word completed to a field or a value, if there is one that fits; else as it is."""
    start = max(text.rfind(" "), text.rfind("|"), text.rfind("!")) + 1
    word = text[start:]
    if not word:
        return text
    if (match := _FIELD.match(word)) is not None:
        kind, what = fields.get(match[1], ("", ""))
        values = what.split(", ") if kind == "choice" else ["yes", "no"] if kind == "switch" else []
        value = next((value for value in values if value.startswith(match[3]) and value != match[3]), match[3])
        return text[:start] + match[1] + match[2] + value
    name = next((name for name in fields if name.startswith(word) and name != word), None)
    if name is None:
        return text
    return text[:start] + name + (":" if fields[name][0] in ("text", "choice", "switch") else "")


def _term(text: str, start: int, end: int, fields: Fields) -> Term:
    word = text[start:end]
    negated = word.startswith("!") and len(word) > 1
    plain = word[1:] if negated else word
    match = None if plain.startswith('"') else _FIELD.match(plain)
    if match is None:
        return Term("", "contains", plain.replace('"', ""), negated)
    name, sign, given = match[1].lower(), match[2], match[3].replace('"', "")
    noted = fields is FIELDS and name.startswith("facts.")
    if name not in fields and not noted:
        near = difflib.get_close_matches(name, fields, 1)
        hint = f"{near[0]}{sign}..." if near else f"a field ({', '.join(fields)}), or a text in quotes"
        raise FilterError(text, start, end, hint)
    if noted:
        name = match[1]
    kind, what = fields.get(name, ("text" if _number(given, {}) is None else "number", "a value"))
    if not given:
        raise FilterError(text, start, end, f"a value behind {sign}: {what}")
    return Term(_FACTS.get(name, name), *_valued(kind, sign, given, FilterError(text, start, end, what)), negated)


def _valued(kind: Kind, sign: str, given: str, wrong: FilterError) -> tuple[Operator, str | float | bool]:
    operator: Operator = "=" if sign == ":" else sign  # type: ignore[assignment]
    if kind in ("text", "choice", "switch") and operator not in ("=", "!="):
        raise wrong
    match kind:
        case "text":
            return ("contains" if sign == ":" else operator), given
        case "choice":
            fitting = [
                status for status in wrong.expected.split(", ") if status.startswith(given.lower().replace(" ", "_"))
            ]
            if len(fitting) != 1:
                raise wrong
            return operator, fitting[0]
        case "switch":
            if given.lower() not in _YES:
                raise wrong
            return operator, _YES[given.lower()]
        case _:
            number = _number(given, _SECONDS if kind == "seconds" else _FACTOR)
            if number is None:
                raise wrong
            return operator, number


def _number(given: str, units: Mapping[str, float]) -> float | None:
    factor = 1.0
    if given.endswith("%"):
        given, factor = given[:-1], 0.01
    elif given[-1:].lower() in units:
        given, factor = given[:-1], units[given[-1].lower()]
    if not re.fullmatch(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})(e[+-]?\d{1,3})?", given, re.IGNORECASE):
        return None
    return float(given) * factor
