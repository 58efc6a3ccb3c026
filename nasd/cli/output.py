"""How the command line prints: aligned tables for people, JSON for programs."""

import itertools
import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

import click
import msgspec


class Spinner:
    """On a terminal, something that turns beside a text until it is left."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
            click.echo("\r\x1b[K", nl=False, err=True)

    def _turn(self) -> None:
        for sign in itertools.cycle("|/-\\"):
            click.echo(f"\r{sign} {self._text}", nl=False, err=True)
            if self._ended.wait(0.1):
                return


def print_json(value: object) -> None:
    """Print a message, or a list of them, as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print columns under their headers; those in `right` are aligned to the right."""
    widths = [
        max(len(header[i]), *(len(row[i]) for row in rows)) if rows else len(header[i]) for i in range(len(header))
    ]
    for number, row in enumerate([header, *rows]):
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def percent(value: float | None) -> str:
    """A fraction, as `91.2 %`."""
    return "-" if value is None else f"{100 * value:.1f} %"


def duration(seconds: float | None) -> str:
    """Such as `3 d 4 h`, `2 h 5 min`, `12 s`."""
    if seconds is None:
        return "-"
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    for size, name, smaller, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            big, rest = divmod(seconds, size)
            return f"{big} {name} {rest // smaller} {small_name}"
    return f"{seconds} s"


def ago(moment: float) -> str:
    """How long ago, such as `5 min 2 s ago`."""
    return f"{duration(max(0.0, time.time() - moment))} ago" if moment else "-"


def size(count: float) -> str:
    """Bytes, such as `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def fact(value: object) -> str:
    """A value that a strategy gave of a trial: a number in short, a text as it is, other values as JSON."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def printable(text: str) -> str:
    """Text from a file or another process without its control characters."""
    return "".join(character if character.isprintable() else "�" for character in text)
