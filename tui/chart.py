"""Line charts in braille: 2x4 points a cell, axes with round ticks, named vertical marks. Pure functions.

Written here rather than taken from textual-plot, which loads numpy (50 ms of the 500 ms that an attach may take) and
needs 25-50 ms of processor time for a redraw; this needs about 3 ms and draws marks and legends the way we want them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from textual.content import Content

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


@dataclass(frozen=True)
class Series:
    """Points in the order of x; a later series is drawn over an earlier one."""

    points: Sequence[tuple[float, float]]
    style: str
    line: bool = True


@dataclass(frozen=True)
class Mark:
    """A vertical line at `x`; above it its label, or a shorter one, or none, as there is room."""

    x: float
    label: str
    short: str = ""
    style: str = "$faint"


@dataclass(frozen=True)
class Axes:
    """The window that is drawn, and how its ticks are written."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_text: Callable[[float], str] | None = None  # None: what is counted, such as epochs, so that ticks are whole
    y_text: Callable[[float], str] = field(default=lambda value: f"{value:g}")
    x_log: bool = False  # x are decimal logarithms: ticks are round in what they are of


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """At most `most` round values (1, 2 or 5 times a power of ten) between `low` and `high`."""
    if high <= low or most < 1:
        return [low]
    step = 10.0 ** max(0 if whole else -math.inf, math.floor(math.log10((high - low) / most)))
    for factor in (1, 2, 5, 10, 20, 50):
        first = math.ceil(low / (step * factor) - 1e-9)
        last = math.floor(high / (step * factor) + 1e-9)
        if last - first + 1 <= most:
            return [round(index * step * factor, 12) for index in range(first, last + 1)]
    return [low]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` decimal logarithms of round values, closer together the more there is room for."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for within in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [decade + math.log10(value) for decade in decades for value in within]
        found = [value for value in found if low <= value <= high]
        if 2 <= len(found) <= most:
            return found
    if high - low > 1:  # so many that only decades are marked, and not every one
        return ticks(low, high, most)
    return [math.log10(value) for value in ticks(10**low, 10**high, most)]


def spread(values: Iterable[float], least: float = 0.05) -> tuple[float, float]:
    """A window with a little air around `values`, at least `least` high."""
    known = list(values)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    air = max(0.06 * (high - low), (least - (high - low)) / 2, 0.0)
    return low - air, high + air


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` points: the means of equal shares of them, but the last one as it is."""
    if len(points) <= most or most < 2:
        return list(points)
    share = (len(points) - 1) / (most - 1)
    found = []
    for index in range(most - 1):
        part = points[int(index * share) : int((index + 1) * share)] or [points[int(index * share)]]
        found.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return [*found, points[-1]]


def draw(width: int, height: int, axes: Axes, series: Sequence[Series], marks: Sequence[Mark] = ()) -> list[Content]:
    """A chart of exactly `height` lines, each `width` cells; the first names the marks, the last is the x axis."""
    if width < 12 or height < 3:
        return []
    rows = height - 2 if marks else height - 1
    labels: dict[int, str] = {}
    for value in ticks(*axes.y, max(2, rows // 2)):
        labels.setdefault(_row(axes, value, rows), axes.y_text(value))
    margin = 1 + max(len(label) for label in labels.values())
    columns = width - margin - 1
    plot = _Plot(columns, rows, axes)
    for mark in marks:
        plot.mark(mark)
    for one in series:
        plot.add(one)
    lines = [Content(" " * (margin + 1)) + plot.names(marks)] if marks else []
    for y, line in enumerate(plot.lines()):
        label = labels.get(y, "")
        axis = "┤" if label else "│"
        lines.append(Content.assemble((f"{label:>{margin}}", "$dim"), (axis, "$border"), line))
    lines.append(_x_axis(columns, margin, axes))
    return lines


def _row(axes: Axes, value: float, rows: int) -> int:
    low, high = axes.y
    return min(rows - 1, max(0, int((high - value) / (high - low) * rows)))


def _x_axis(columns: int, margin: int, axes: Axes) -> Content:
    text = [" "] * (columns + margin + 1)
    free = 0
    most = max(2, columns // 9)
    for value in log_ticks(*axes.x, most) if axes.x_log else ticks(*axes.x, most, whole=axes.x_text is None):
        label = f"{value:g}" if axes.x_text is None else axes.x_text(value)
        at = margin + 1 + round((value - axes.x[0]) / (axes.x[1] - axes.x[0]) * (columns - 1))
        start = min(len(text) - len(label), max(free, at - len(label) // 2))
        if start >= free:
            text[start : start + len(label)] = label
            free = start + len(label) + 1
    return Content.styled("".join(text), "$dim")


class _Plot:
    """The cells of a chart."""

    def __init__(self, columns: int, rows: int, axes: Axes) -> None:
        self.columns, self.rows, self.axes = columns, rows, axes
        self.bits = [[0] * columns for _ in range(rows)]
        self.styles = [[""] * columns for _ in range(rows)]
        self.under = [[(" ", "")] * columns for _ in range(rows)]  # shown where no point is

    def position(self, x: float, y: float) -> tuple[int, int]:
        """Of a point in dots."""
        (left, right), (low, high) = self.axes.x, self.axes.y
        across = (x - left) / ((right - left) or 1.0) * (2 * self.columns - 1)
        down = (high - y) / ((high - low) or 1.0) * (4 * self.rows - 1)
        return round(across), round(down)

    def dot(self, x: int, y: int, style: str) -> None:
        if 0 <= x < 2 * self.columns and 0 <= y < 4 * self.rows:
            self.bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self.styles[y // 4][x // 2] = style

    def add(self, series: Series) -> None:
        before: tuple[int, int] | None = None
        for point in series.points:
            x, y = self.position(*point)
            if before is None or not series.line:
                self.dot(x, y, series.style)
            else:
                steps = max(abs(x - before[0]), abs(y - before[1]), 1)
                for step in range(steps + 1):
                    across = before[0] + round((x - before[0]) * step / steps)
                    self.dot(across, before[1] + round((y - before[1]) * step / steps), series.style)
            before = (x, y)

    def mark(self, mark: Mark) -> None:
        column = self.position(mark.x, 0)[0] // 2
        if 0 < column < self.columns:
            for row in range(self.rows):
                self.under[row][column] = ("┊", mark.style)

    def names(self, marks: Sequence[Mark]) -> Content:
        starts = [max(0, self.position(mark.x, 0)[0] // 2) for mark in marks]
        line = ""
        for mark, start, end in zip(marks, starts, [*starts[1:], self.columns + 1], strict=True):
            label = next((label for label in (mark.label, mark.short) if len(label) < end - start), "")
            line = line[:start].ljust(start) + label
        return Content.styled(line[: self.columns], "$dim")

    def lines(self) -> Iterable[Content]:
        for bits, styles, under in zip(self.bits, self.styles, self.under, strict=True):
            runs: list[tuple[str, str]] = []
            for dots, style, (character, below) in zip(bits, styles, under, strict=True):
                cell = (chr(0x2800 + dots), style) if dots else (character, below)
                if runs and runs[-1][1] == cell[1]:
                    runs[-1] = (runs[-1][0] + cell[0], cell[1])
                else:
                    runs.append(cell)
            yield Content.assemble(*runs)
