"""Scalars of YAML as people mean them: `1e-3` is a number, `yes` and `010` are none, `30m` is a time, `50GB` a size."""

import re
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"[-+]?(\d[\d_]*)?(\.\d*)?([eE][-+]?\d{1,4})?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[\d_]+", re.ASCII)
_AMOUNT = r"(\d{1,18}(?:\.\d{1,9})?)"
_TIME = re.compile(rf"(?:{_AMOUNT} ?(ms|s|min|m|h|d) ?)+", re.ASCII)
_TIME_PART = re.compile(rf"{_AMOUNT} ?(ms|s|min|m|h|d)", re.ASCII)
_SIZE = re.compile(rf"{_AMOUNT} ?([kmgt]?)(i?)b?", re.ASCII | re.IGNORECASE)
_SECONDS = {
    "ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "m": Decimal(60), "h": Decimal(3600),
    "d": Decimal(86400),
}  # fmt: skip


def number(value: Any) -> Any:
    """A number from what YAML made of it; what is none is left to the field's own check.

    Raises:
        ValueError: It is a switch such as `yes`, or has a leading zero, which some read as octal.
    """
    if isinstance(value, bool):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors
            "a number is wanted, not a switch: YAML reads yes, no, on and off as true and false"
        )
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _LEADING_ZERO.fullmatch(text):
        raise ValueError(
            "a leading zero makes a number octal for some readers of YAML, decimal for others: leave it out"
        )
    if len(text) <= 40 and any(map(str.isdigit, text)) and _NUMBER.fullmatch(text):
        plain = text.replace("_", "")
        return float(plain) if re.search("[.eE]", plain) else int(plain)
    return value


def seconds(value: Any) -> Any:
    """Seconds from a number, or from text such as `90s`, `30m`, `1h30m`, `2d`.

    Raises:
        ValueError: It is text that says no time.
    """
    value = number(value)
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not _TIME.fullmatch(text):
        raise ValueError("a time is wanted: seconds, or a number with its unit, such as 90s, 30m, 1h30m, 2d")
    return float(sum(Decimal(amount) * _SECONDS[unit] for amount, unit in _TIME_PART.findall(text)))


def size(value: Any) -> Any:
    """Bytes from a number, or from text such as `500MB`, `50GB` (powers of 1000), `4GiB` (powers of 1024).

    Raises:
        ValueError: It is text that says no size, or no whole number of bytes.
    """
    value = number(value)
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if not found or (found[3] and not found[2]):
        raise ValueError("a size is wanted: bytes, or a number with its unit, such as 500MB, 50GB, 4GiB")
    amount = Decimal(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2].lower() or " ")
    if amount != amount.to_integral_value():
        raise ValueError("a size is a whole number of bytes")
    return int(amount)
