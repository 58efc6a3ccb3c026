"""The last day of the box and its devices, over the whole screen."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from nasd.errors import NasdError
from nasd.protocol import MachineHistory, MachineParams
from tui import chart, text
from tui.link import Link
from tui.widgets.panel import Panel
from tui.work import work

AGAIN = 30.0
"""Seconds between two questions."""

_GIB = 2.0**30
LEAST = 8
"""Lines of a chart, its title included."""


class Curve(NamedTuple):
    """One chart."""

    title: str
    values: Sequence[float | None]
    written: Callable[[float], str]
    high: float | None = None  # of the axis; None: as the values are
    unit: float = 1.0  # in which the axis has round values


class MachineScreen(ModalScreen[None]):
    """Charts over the same time; what does not fit is below."""

    DEFAULT_CSS = """
    MachineScreen { background: $background; }
    MachineScreen Panel { height: 1fr; width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,m", "close", "back", id="machine.close", tooltip="Back to the overview"),
        Binding("down,j,pagedown", "scroll(1)", "down", show=False, id="machine.down", tooltip="Further charts"),
        Binding("up,k,pageup", "scroll(-1)", "up", show=False, id="machine.up", tooltip="Charts above"),
    ]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._charts = Charts(link)

    def compose(self) -> ComposeResult:
        """One panel."""
        yield self._charts

    def on_mount(self) -> None:
        """Ask, and go on asking."""
        self._fetch()
        self.set_interval(AGAIN, self._fetch)

    def action_close(self) -> None:
        """Back."""
        self.dismiss()

    def action_scroll(self, rows: int) -> None:
        """Other charts."""
        self._charts.scroll_rows(rows)

    def _fetch(self) -> None:
        work(self, "machine", self._fetching)

    async def _fetching(self) -> None:
        try:
            self._charts.show(await self._link.call("machine", MachineParams()))
        except NasdError as error:
            self._charts.fail(str(error))


class Charts(Panel):
    """Trials per hour, processor, memory, and of each device use, memory, temperature and power."""

    def __init__(self, link: Link) -> None:
        super().__init__("machine: the last day", id="machine-charts")
        self._link = link
        self._history: MachineHistory | None = None
        self._failure = ""
        self._first = 0  # row of charts
        self.border_subtitle = Content("Esc back")

    def show(self, history: MachineHistory) -> None:
        """What the daemon sent."""
        self._history, self._failure = history, ""
        self.renew()

    def fail(self, sentence: str) -> None:
        """It sent none."""
        self._failure = text.clean(sentence)
        self.renew()

    def scroll_rows(self, rows: int) -> None:
        """Up or down."""
        self._first = max(0, self._first + rows)
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """As many charts as fit, in one column or two."""
        history = self._history
        if history is None or len(history.times) < 2:
            waiting = "asking …" if history is None else "The daemon began to measure just now; a point is a minute."
            return [Content.styled(self._failure or waiting, "$dim")]
        curves = _curves(history)
        columns = 2 if width >= 100 else 1
        rows = -(-len(curves) // columns)
        shown = max(1, min(rows, height // LEAST))
        self._first = min(self._first, rows - shown)
        each, spare = divmod(height, shown)
        room = (width - 2 * (columns - 1)) // columns
        unit, name = _unit(history.times[-1] - history.times[0])
        ago = [(moment - history.times[-1]) / unit for moment in history.times]
        found: list[Content] = []
        for row in range(self._first, self._first + shown):
            tall = each + (row - self._first < spare)
            parts = [_chart(one, ago, name, room, tall) for one in curves[row * columns : (row + 1) * columns]]
            for cells in zip_longest(*parts, fillvalue=Content()):
                found.append(Content("  ").join(cells))
        hidden = len(curves) - columns * (self._first + shown)
        said = f"↓ {hidden} more · " if hidden > 0 else ""
        self.border_subtitle = Content(f"{said}Esc back")
        return found


def _curves(history: MachineHistory) -> list[Curve]:
    """Those of which something is known."""
    found = [
        Curve("trials per hour", history.trials_per_hour, lambda value: f"{value:.4g}"),
        Curve("cpu", history.cpu, _share, 1.0),
        Curve("memory", history.memory, text.size, unit=_GIB),
    ]
    for device in history.devices:
        name = text.clean(device.name)
        found += [
            Curve(f"{name} use", device.utilisation, _share, 1.0),
            Curve(f"{name} memory", device.memory, text.size, unit=_GIB),
            Curve(f"{name} temperature", device.temperature, lambda value: f"{value:.4g} °C"),
            Curve(f"{name} power", device.power, lambda value: f"{value:.4g} W"),
        ]
    return [curve for curve in found if any(value is not None for value in curve.values)]


def _chart(curve: Curve, ago: Sequence[float], name: str, width: int, height: int) -> list[Content]:
    """A title with the newest value and the extremes, then the line over the time, which is counted in `name`."""
    values = [value for value in curve.values if value is not None]
    known = [(time, value / curve.unit) for time, value in zip(ago, curve.values, strict=True) if value is not None]
    head = Content.assemble(
        (curve.title, "bold"), ("  now ", "$dim"), (curve.written(values[-1]), "$primary"),
        ("  from ", "$dim"), curve.written(min(values)), (" to ", "$dim"), curve.written(max(values)),
    )  # fmt: skip
    high = curve.high or 1.05 * max(values) / curve.unit or 1.0
    axes = chart.Axes(
        (min(ago[0], -1.0), 0.0), (0.0, high), x_text=lambda value: f"{value:g} {name}" if value else "now",
        y_text=lambda value: curve.written(value * curve.unit),
    )  # fmt: skip
    series = [chart.Series(chart.thin(known, 2 * width), "$primary")]
    drawn = chart.draw(width, height - 1, axes, series)
    head = head.truncate(width, ellipsis=True)
    return [head + Content(" " * (width - head.cell_length)), *drawn]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _unit(seconds: float) -> tuple[float, str]:
    """In which a span of time has a few round values: its length in seconds, and its name."""
    return (3600.0, "h") if seconds >= 10_800 else (60.0, "m") if seconds >= 180 else (1.0, "s")
