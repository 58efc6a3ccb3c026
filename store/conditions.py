"""Conditions on trials as SQL. The words of a condition are ours; what a person typed is bound."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

from store.records import TrialStatus

OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "=", "!=": "<>"}

MARK = "mark/"
"""The flag of a trial that somebody marked is named so, with its number."""

_MARKED = f"number IN (SELECT CAST(substr(name, {len(MARK) + 1}) AS INTEGER) FROM flag WHERE name GLOB '{MARK}*' AND "  # noqa: S608
_SIZES = {"layers": "layers", "params": "parameters"}
_COLUMNS = {
    "reward": "reward",
    "val": "best_validation",
    "test": "test_accuracy",
    "dim": "embedding_dim",
    "time": "seconds",
    "memory": "peak_memory",
    "trial": "number",
    "status": "status",
    "stage": "stage",
    "device": "device",
    "reason": "reason",
    "counted": "counted",
    "imported": "imported",
}


class Condition(NamedTuple):
    """One condition on a trial, or its opposite: `field` is a key of `_COLUMNS` or `_SIZES`, dup, star, note,
    facts.NAME, or "" for a text anywhere.
    """

    field: str
    operator: str
    value: str | float | bool
    negated: bool = False


Where = Sequence[Sequence[Condition]]
"""One of these must hold, which does if all of its conditions do; nothing at all: every trial matches."""

Parameter = str | float | int


def compile(where: Where) -> tuple[str, list[Parameter]]:
    """An expression for WHERE, "" for nothing, and what is bound in it.

    Raises:
        ValueError: A field or an operator is not known.
    """
    parameters: list[Parameter] = []
    alternatives = []
    for conditions in where:
        parts = [_condition(condition, parameters.append) for condition in sorted(conditions, key=_cost)]
        alternatives.append("(" + " AND ".join(parts) + ")" if parts else "1")
    return ("(" + " OR ".join(alternatives) + ")" if alternatives else ""), parameters


def _cost(condition: Condition) -> int:
    """What is cheap comes first: most rows then need no more."""
    if condition.field == "":
        return 2
    return 1 if condition.field not in _COLUMNS or condition.operator == "contains" else 0


def _condition(condition: Condition, bind: Callable[[Parameter], None]) -> str:
    field, operator, value, negated = condition
    if field == "":
        expression = _anywhere(str(value), bind)
    elif field == "dup":
        expression = "duplicate_of IS NOT NULL" if _is(operator, value) else "duplicate_of IS NULL"
    elif field == "star":
        expression = f"{_MARKED} json_extract(value, '$.star'))"
        expression = expression if _is(operator, value) else f"NOT {expression}"
    elif field == "note":
        note = _compared("json_extract(value, '$.note')", operator, value, bind)
        expression = f"{_MARKED} {note})"
    elif field.startswith("facts."):
        bind('$."' + field[6:].replace('"', "") + '"')
        expression = _compared("json_extract(facts, ?)", operator, value, bind)
    elif field in _SIZES:  # these are few in most cases, and found without the trials
        size = _compared(_SIZES[field], operator, value, bind)
        expression = f"number IN (SELECT number FROM temp.size WHERE {size})"  # noqa: S608
    elif field in _COLUMNS:
        expression = _compared(_COLUMNS[field], operator, value, bind)
    else:
        raise ValueError(f"trials have no field {field!r}")
    return f"NOT coalesce({expression}, 0)" if negated else expression


def _is(operator: str, value: object) -> bool:
    return bool(value) == (operator == "=")


def _compared(column: str, operator: str, value: str | float | bool, bind: Callable[[Parameter], None]) -> str:
    if operator == "contains":
        return _like(column, str(value), bind)
    if operator not in OPERATORS:
        raise ValueError(f"{operator!r} is no operator")
    if isinstance(value, float) and operator in ("=", "!="):  # 0.1 as a person writes it, however it was computed
        bind(value)
        bind(1e-9 * max(1.0, abs(value)))
        return f"abs({column} - ?) {'<=' if operator == '=' else '>'} ?"
    bind(value)
    return f"{column} {OPERATORS[operator]} ?"


def _anywhere(text: str, bind: Callable[[Parameter], None]) -> str:
    """In the architecture, the status or the reason. Which statuses hold it is known without looking at the rows."""
    statuses = [status for status in get_args(TrialStatus) if text.lower() in status]
    parts = [_like("net", text, bind), _like("reason", text, bind)]
    if statuses:
        parts.append(f"status IN ({','.join('?' * len(statuses))})")
        for status in statuses:
            bind(status)
    return "(" + " OR ".join(parts) + ")"


def _like(column: str, text: str, bind: Callable[[Parameter], None]) -> str:
    pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    bind(f"%{pattern}%")
    return f"{column} LIKE ?" + (" ESCAPE '\\'" if pattern != text else "")  # which costs a third more
