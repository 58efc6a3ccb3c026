"""How all figures look, and how they are written."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasd.errors import NasdError
from store import files
from store.errors import disk_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every kind of colour vision, black and yellow left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
INK, GREY, FAINT, BAND = "#222222", "#6b7280", "#d9dde3", "#f3f5f8"
SUFFIXES = (".png", ".svg", ".pdf")

_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "svg.hashsalt": "nasd",  # the same data, the same bytes
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Our settings, for as long as figures are made and written.

    Raises:
        NasdError: matplotlib is missing.
    """
    try:
        import logging  # noqa: PLC0415

        import matplotlib as mpl  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NasdError("pictures need matplotlib: pip install 'nasd[plot]'") from error
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # that a font is not here is no news
    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure of this size in inches with one pair of axes."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def headline(figure: "Figure", text: str) -> None:
    """A title at the figure's left edge: where there is no room for it above the axes."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold", wrap=True)


def percent_axis(axis: Any) -> None:
    """Label an axis of fractions in percent."""
    axis.set_major_formatter(lambda value, _position: f"{round(100 * value, 2):g} %")


def check_suffix(path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Raises NasdError if pictures are not written to such a file."""
    if path.suffix.lower() not in suffixes:
        raise NasdError(f"{path} must end in {', '.join(suffixes[:-1])} or {suffixes[-1]}")


def render(figure: "Figure", form: str) -> bytes:
    """The bytes of a figure as `png`, `svg` or `pdf`; inside `styled`."""
    buffer = io.BytesIO()
    dates: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
    figure.savefig(buffer, format=form, metadata=dates or None)
    return buffer.getvalue()


def save(path: Path, draw: "Callable[[], Figure]") -> None:
    """Draw a figure in our style into a file, replacing an older one.

    Raises:
        NasdError: matplotlib is missing, or the file's name ends otherwise.
        DiskError: The disk refused.
    """
    check_suffix(path)
    with styled():
        write(render(draw(), path.suffix.lower()[1:]), path)


def write(content: bytes, path: Path) -> None:
    """Write a picture, replacing an older one. Raises DiskError."""
    with disk_errors(path, "write a picture"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, content)
