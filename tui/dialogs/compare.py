"""Two to five trials side by side."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from nasd import protocol
from nasd.errors import NasdError
from tui import chart, text, theme
from tui.dialogs.dialog import Dialog
from tui.link import Link
from tui.work import work

CHART = 12
"""Lines of the chart."""

FACTS: tuple[tuple[str, Callable[[protocol.TrialDetail], str]], ...] = (
    ("reward", lambda detail: text.percent(detail.row.reward)),
    ("validation", lambda detail: text.percent(detail.row.best_validation)),
    ("test", lambda detail: text.percent(detail.row.test_accuracy)),
    ("status", lambda detail: detail.row.status.replace("_", " ")),
    ("stage", lambda detail: text.clean(detail.row.stage)),
    ("weights", lambda detail: text.count(detail.graph.parameters)),
    ("embedding", lambda detail: text.count(detail.embedding_dim) if detail.embedding_dim else "–"),
    ("time", lambda detail: text.duration(detail.row.seconds) if detail.row.seconds else "–"),
    ("memory", lambda detail: text.size(detail.peak_memory) if detail.peak_memory else "–"),
    ("device", lambda detail: text.clean(detail.device) or "–"),
)


class Compare(Dialog[None]):
    """Facts, layers aligned from the input on, and the curves in one chart."""

    DEFAULT_CSS = """
    Compare > .window { width: 95%; height: 95%; }
    """

    def __init__(self, numbers: Sequence[int], link: Link) -> None:
        super().__init__()
        self._numbers, self._link = numbers, link
        self._shown = Static()

    def compose(self) -> ComposeResult:
        """One text, which scrolls."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Compare " + ", ".join(map(str, self._numbers))
            window.border_subtitle = "esc closes"
            yield self._shown

    def on_mount(self) -> None:
        """Ask for each."""
        work(self, "compare", self._fetch)

    async def _fetch(self) -> None:
        details = []
        for number in self._numbers:
            try:
                details.append(await self._link.call("trial", protocol.TrialParams(number=number)))
            except NasdError as error:
                self._shown.update(Content.styled(text.clean(str(error)), "$error"))
                return
        width = max(40, self.size.width * 95 // 100 - 6)
        self._shown.update(Content("\n").join(side_by_side(details, width)))


def side_by_side(details: Sequence[protocol.TrialDetail], width: int) -> list[Content]:
    """The lines of a comparison in `width` cells."""
    room = max(8, (width - 12) // len(details))
    colours = [theme.SERIES[index % len(theme.SERIES)] for index in range(len(details))]
    heads = [
        (f"trial {detail.row.number}".ljust(room), f"bold {colour}")
        for detail, colour in zip(details, colours, strict=True)
    ]
    found = [Content.assemble(" " * 12, *heads)]
    for name, value in FACTS:
        values = [value(detail) for detail in details]
        found.append(_row(name, values, room))
    found.append(Content())
    layers = [[text.clean(node.text) for node in detail.graph.nodes if node.text] for detail in details]
    for index in range(max(map(len, layers))):
        here = [of[index] if index < len(of) else "" for of in layers]
        found.append(_row(f"layer {index + 1}", here, room))
    curves = [detail.validation_accuracies for detail in details]
    known = [value for curve in curves for value in curve]
    if known:
        low, high = chart.spread(known)
        axes = chart.Axes(
            (1, max(2, *map(len, curves))), (max(0, low), min(1, high)), y_text=lambda value: f"{100 * value:.4g}"
        )
        series = [
            chart.Series(list(enumerate(curve, 1)), f"bold {colour}")
            for curve, colour in zip(curves, colours, strict=True)
        ]
        found += [
            Content(),
            Content.styled("validation accuracy by epoch", "$dim"),
            *chart.draw(width, CHART, axes, series),
        ]
    return found


def _row(name: str, values: Sequence[str], room: int) -> Content:
    """A line of the table; what is not the same everywhere stands out."""
    style = "bold" if len(set(values)) > 1 else "$dim"
    cells = [(text.shorten(value, room - 1).ljust(room), style) for value in values]
    return Content.assemble((f"{name:<12}", "$dim"), *cells)
