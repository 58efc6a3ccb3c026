"""Where convolution by Fourier transform was measured to be faster, by device; kept in the user's cache folder."""

import contextlib
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from nasd.config import FftConfig
from store import files

_TABLES = TypeAdapter(dict[str, tuple[FftConfig, ...]])


def everything() -> dict[str, tuple[FftConfig, ...]]:
    """The tables by what they were measured on. None where somebody broke the file: all is measured again."""
    with contextlib.suppress(OSError, ValidationError):
        return _TABLES.validate_json(_file().read_bytes())
    return {}


def remember(name: str, table: tuple[FftConfig, ...]) -> None:
    """Keep a table. Of two processes that do so at the same time, one may have to measure again some day."""
    with contextlib.suppress(OSError):  # a home that is full or read-only: it is measured again next time
        _file().parent.mkdir(parents=True, exist_ok=True)
        plain = _TABLES.dump_python({**everything(), name: table})
        files.write_atomically(_file(), json.dumps(plain, indent=1).encode())


def in_words(table: Sequence[FftConfig]) -> str:
    """A table as a line of text."""
    if not table:
        return "direct everywhere"
    by_side = groupby(sorted(table, key=lambda one: (-one.side, -one.kernel)), key=lambda one: one.side)
    return "by FFT " + "; ".join(
        f"at {side}x{side} " + ", ".join(f"{one.kernel}x{one.kernel} from {one.channels} channels" for one in entries)
        for side, entries in by_side
    )


def _file() -> Path:
    return Path(platformdirs.user_cache_dir("nasd")) / "convolutions.json"
