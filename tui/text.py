"""How numbers, times and foreign strings are written on the screen."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

_BLOCKS = "▁▂▃▄▅▆▇█"

# Control characters become their pictures, what could reorder or hide text becomes a question mark: a string from a
# run that somebody else made must not be able to draw anywhere but in its own cell.
_NEUTRAL = {code: chr(0x2400 + code) for code in range(32)} | {9: " ", 127: "␡"}
_NEUTRAL |= dict.fromkeys([*range(0x80, 0xA0), 0x061C, *range(0x200B, 0x2010), 0xFEFF], "�")
_NEUTRAL |= dict.fromkeys([*range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)], "�")


def clean(text: str) -> str:
    """A string from the daemon, safe to draw on one line."""
    return text if text.isascii() and text.isprintable() else text.translate(_NEUTRAL)


def count(number: int) -> str:
    """1,234."""
    return f"{number:,}"


def percent(fraction: float | None, missing: str = "–") -> str:
    """An accuracy or reward as a percentage with two digits behind the point."""
    return missing if fraction is None else f"{100 * fraction:.2f}"


def size(number: float) -> str:
    """A number of bytes in binary units, three digits at most."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1000 or unit == "TiB":
            return f"{number:.0f} {unit}" if unit == "B" or abs(number) >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def duration(seconds: float | None) -> str:
    """A time span in its two largest units."""
    if seconds is None:
        return "–"
    if 0 < seconds < 9.95:
        return f"{seconds:.2g} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} m {second} s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minute} m"
    days, hour = divmod(hours, 24)
    return f"{days} d {hour} h"


def short_duration(seconds: float) -> str:
    """A time span in at most five characters."""
    if seconds < 0.095:
        return f"{1000 * seconds:.0f}ms"
    if seconds < 10:
        return f"{seconds:.2f}s" if seconds < 1 else f"{seconds:.1f}s"
    if seconds < 600:
        return f"{seconds:.0f}s"
    if seconds < 36_000:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h" if seconds < 360_000 else f"{seconds / 86_400:.0f}d"


def moment(seconds: float, now: float) -> str:
    """A moment to come, to the minute: the time of day, with the weekday or the date if it is not today."""
    then, today = datetime.fromtimestamp(seconds).astimezone(), datetime.fromtimestamp(now).astimezone()
    days = (then.date() - today.date()).days
    if days == 0:
        return f"{then:%H:%M}"
    return f"{then:%a %H:%M}" if 0 < days < 7 else f"{then:%Y-%m-%d}"


def clock(seconds: float, now: float) -> str:
    """A moment in local time: the time of day if it is today, else with its date."""
    moment = datetime.fromtimestamp(seconds).astimezone()
    today = datetime.fromtimestamp(now).astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M}"


def sparkline(values: Sequence[float], low: float | None = None, high: float | None = None) -> str:
    """One block character a value, between `low` and `high` (those of the values)."""
    if not values:
        return ""
    low = min(values) if low is None else low
    high = max(values) if high is None else high
    span = (high - low) or 1.0
    return "".join(_BLOCKS[min(7, max(0, int(8 * (value - low) / span)))] for value in values)


def bar(fraction: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells in eighths of a cell: its filled part and the rest."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    full, part = divmod(eighths, 8)
    filled = "█" * full + ("▏▎▍▌▋▊▉"[part - 1] if part else "")
    return filled, " " * (width - len(filled))


def shorten(text: str, width: int) -> str:
    """At most `width` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def common_start(labels: Sequence[str]) -> str:
    """What all labels begin with, whole words only: `e=` of `e=1` and `e=0.9`; nothing of a single label."""
    first, last = min(labels, default=""), max(labels, default="")  # if these two agree, so do all between them
    start = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    word = sum(1 for _ in takewhile(lambda character: character.isalnum() or character in "._", reversed(start)))
    return start[: len(start) - word] if first != last else ""
