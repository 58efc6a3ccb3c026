"""Trial: one architecture drawn layer by layer, how it learned, and what the Q-table thinks of it."""

import math
import re
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content

from nasd import protocol
from nasd.errors import NasdError
from tui import chart, text, theme
from tui.link import Change, Link, Renewed
from tui.messages import CopyNet, Retrain, WalkTo
from tui.panes.pane import Pane
from tui.panes.trials import describe
from tui.widgets.panel import Panel
from tui.work import work


class Trial(Pane):
    """Panels over one trial; `left` and `right` leaf through the trials."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "leaf(-1)", "previous", id="trial.previous", tooltip="The trial before this one"),
        Binding("right,l", "leaf(1)", "next", id="trial.next", tooltip="The trial after this one"),
        Binding("y,c", "copy", "copy", id="trial.copy", tooltip="Copy the architecture string"),
        Binding("r", "retrain", "retrain", id="trial.retrain", tooltip="Queue a retrain job of this architecture"),
        Binding("w", "walk", "Q-table", id="trial.walk", tooltip="Show this architecture's states in the Q-table"),
        Binding(
            "d", "original", "original", id="trial.original", tooltip="Of a duplicate, the trial that was evaluated"
        ),
        Binding("b", "best", "best", show=False, id="trial.best", tooltip="The best trial so far"),
        Binding("backspace,escape", "back", "list", show=False, id="trial.back", tooltip="Back to all trials"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._number: int | None = None
        self._detail: protocol.TrialDetail | None = None
        self._facts = _Facts(link)
        self._drawing = _Drawing()
        self._curves = _Curves()
        self._labels = _Labels()
        self._neighbours = _Neighbours()

    def compose(self) -> ComposeResult:
        """The style sheet puts the panels side by side or below one another."""
        with TrialScroll():
            yield self._facts
            with Container(id="trial-middle"):
                yield from (self._drawing, self._curves)
            yield self._labels
            yield self._neighbours

    def enter(self) -> None:
        """Without a choice, the best trial so far."""
        self.query_one(TrialScroll).focus()
        if self._number is None and (status := self.link.status) and (status.best or status.recent):
            self.show((status.best or status.recent)[0].number)
        elif self._number is None:
            self._renew("")

    def hear(self, change: Change) -> None:
        """Another snapshot may know more; a first trial may be there to be shown."""
        if isinstance(change, Renewed) and self._number is not None:
            self.show(self._number)
        elif self._number is None:
            self.enter()

    def show(self, number: int) -> None:
        """Another trial."""
        self._number = number
        work(self, "trial", self._fetch, number)

    def action_leaf(self, step: int) -> None:
        """The trial before or after."""
        last = self.link.status.progress.trials if self.link.status else 0
        if self._number is not None and 1 <= self._number + step <= last:
            self.show(self._number + step)

    def action_copy(self) -> None:
        """The architecture string."""
        if self._detail:
            self.post_message(CopyNet(self._detail.row.net))

    def action_retrain(self) -> None:
        """A job for this trial."""
        if self._detail:
            self.post_message(Retrain(self._detail.row.net, self._detail.row.number))

    def action_walk(self) -> None:
        """Its states in the Q-table, up to the one before the end."""
        if self._detail:
            self.post_message(WalkTo(tuple(neighbour.action for neighbour in self._detail.neighbours[:-1])))

    def action_original(self) -> None:
        """The trial that this one repeats."""
        if self._detail and self._detail.row.duplicate_of is not None:
            self.show(self._detail.row.duplicate_of)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a duplicate has an original."""
        return action != "original" or (self._detail is not None and self._detail.row.duplicate_of is not None)

    def action_best(self) -> None:
        """The best trial so far."""
        if (status := self.link.status) and status.best:
            self.show(status.best[0].number)

    def action_back(self) -> None:
        """All trials."""
        self.app.call_later(self.app.run_action, "go(1)")

    async def _fetch(self, number: int) -> None:
        try:
            self._detail = await self.link.call("trial", protocol.TrialParams(number=number))
        except NasdError as error:
            self._renew(str(error))
            return
        self._renew("")

    def _renew(self, failure: str) -> None:
        for panel in (self._facts, self._drawing, self._curves, self._labels, self._neighbours):
            panel.show(self._detail, failure)
        self.refresh_bindings()


class TrialScroll(VerticalScroll, inherit_bindings=False):
    """Scrolls up and down only: left and right leaf through the trials."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, id="trial.up", tooltip="One line up"),
        Binding("down,j", "scroll_down", "down", show=False, id="trial.down", tooltip="One line down"),
        Binding("pageup", "page_up", "page up", show=False, id="trial.pageup", tooltip="One screen up"),
        Binding("pagedown", "page_down", "page down", show=False, id="trial.pagedown", tooltip="One screen down"),
    ]


class _Part(Panel):
    """A panel over the trial's detail, as high as its lines."""

    DEFAULT_CSS = """
    _Part { height: auto; }
    """

    def __init__(self, title: str, id: str) -> None:
        super().__init__(title, id=id)
        self.detail: protocol.TrialDetail | None = None
        self.failure = ""

    def show(self, detail: protocol.TrialDetail | None, failure: str) -> None:
        """Another trial, or why there is none."""
        self.detail, self.failure = detail, failure
        if detail is not None:
            self.name_it(detail)
        self.refresh(layout=True)

    def name_it(self, detail: protocol.TrialDetail) -> None:
        """What stands in the border."""

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The trial's lines."""
        if self.failure:
            return [Content.styled(text.clean(self.failure), "$error")]
        return self.parts(self.detail, width, height) if self.detail else [Content()]

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """What a subclass shows of a trial."""
        raise NotImplementedError

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many lines as there are."""
        return max(1, len(self.lines(width, 1000)))


class _Facts(_Part):
    """What happened, in numbers."""

    def __init__(self, link: Link) -> None:
        super().__init__("trial", id="trial-facts")
        self._link = link

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Says what to do if there is no trial."""
        if self.detail is None and not self.failure:
            return [Content.styled("No trial is chosen. 2 lists them all, Enter opens one.", "$dim")]
        return super().lines(width, height)

    def name_it(self, detail: protocol.TrialDetail) -> None:
        """The number."""
        self.border_title = Content(f"trial {text.count(detail.row.number)}")

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """The string, what happened, then facts in as many columns as fit."""
        row = detail.row
        facts = [
            ("reward", text.percent(row.reward), "bold $warning"),
            ("validation", text.percent(row.best_validation), ""),
            ("test", text.percent(row.test_accuracy), ""),
            ("epsilon", f"{row.epsilon:g}", ""),
            *([("quick look", text.percent(detail.screening), "")] if detail.screening is not None else []),
            ("time", text.duration(row.seconds) if row.seconds else "–", ""),
            ("encoding", f"{detail.encode_seconds:.1f} s" if detail.encode_seconds else "–", ""),
            ("training", f"{detail.train_seconds:.1f} s" if detail.train_seconds else "–", ""),
            ("memory", text.size(detail.peak_memory) if detail.peak_memory else "–", ""),
            ("batch", text.count(detail.micro_batch) if detail.micro_batch else "–", ""),
            ("embedding", text.count(detail.embedding_dim) if detail.embedding_dim else "–", ""),
            ("device", text.clean(detail.device) or "–", ""),
        ]
        across = max(1, width // 25)
        found = [*_wrapped(text.clean(row.net), width), *_wrapped_content(describe(row, self._link.now), width)]
        for start in range(0, len(facts), across):
            cells = [
                Content.assemble((f"{name:<11}", "$dim"), (f"{value:<13} ", style))
                for name, value, style in facts[start : start + across]
            ]
            found.append(Content("").join(cells))
        if detail.seed is not None:
            found.append(Content.assemble((f"{'seed':<11}", "$dim"), str(detail.seed)))
        if detail.duplicates:
            repeats = ", ".join(str(number) for number in detail.duplicates)
            found.append(Content.assemble(("repeats    ", "$dim"), text.shorten(repeats, width - 11)))
        return found


class _Drawing(_Part):
    """The layers from input to output: a bar as wide as the image, as dense as there are features."""

    def __init__(self) -> None:
        super().__init__("architecture", id="trial-layers")

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """One line a layer."""
        layers = detail.layers
        if not layers:
            return [Content.styled("The layers of this string are not known here.", "$dim")]
        side = max(1, *(layer.image_size for layer in layers if layer.kind != "spp"))
        most = max(layer.features for layer in layers if layer.kind != "classifier") if len(layers) > 1 else 1
        room = min(2 * side, max(8, width - 57)) if width >= 65 else 0
        head = f"{'image':^{room}} " if room else ""
        found = [Content.styled(f"{head}{'layer':<16}{'':<14}{'shape':>11}{'parameters':>13}", "$dim")]
        for layer in layers:
            found.append(self._layer(layer, side, most, room))
        total = sum(layer.parameters for layer in layers)
        weights = sum(layer.parameters for layer in layers if layer.kind in ("classifier", "fc"))
        tail = f"{text.count(total)} parameters, {text.count(weights)} of them in the classifier"
        found.append(Content.styled(tail.rjust(min(width, (room + 1 if room else 0) + 54)), "$dim"))
        return found

    def _layer(self, layer: protocol.Layer, side: int, most: int, room: int) -> Content:
        name, colour = theme.KINDS.get(layer.kind, (text.clean(layer.kind), "$foreground"))
        parts: list[tuple[str, str]] = []
        if room:
            wide = max(1, min(room, round(room * layer.image_size / side)))
            level = math.log2(max(1, layer.features)) / math.log2(max(2, most))
            shade = "░▒▓█"[min(3, int(4 * level - 1e-9))] if layer.kind != "classifier" else "█"
            parts.append((f"{shade * wide:^{room}} ", colour))
        if layer.kind == "spp":
            shape = f"{layer.image_size} bins×{layer.features}"
        elif layer.image_size > 1:
            shape = f"{layer.image_size}×{layer.image_size}×{layer.features}"
        else:
            shape = f"{layer.features}"
        parts += [(f"{text.shorten(name, 15):<16}", colour), (f"{text.shorten(_kernel(layer), 13):<14}", "")]
        parts.append((f"{shape:>11}", ""))
        parts.append(
            (f"{text.count(layer.parameters) if layer.parameters else '–':>13}", "" if layer.parameters else "$dim")
        )
        return Content.assemble(*parts)


def _kernel(layer: protocol.Layer) -> str:
    """`5×5 /2 +1`: size, stride and padding of a layer, where they say something."""
    numbers = [int(number) for number in re.findall(r"\d+", layer.text)]
    if layer.kind == "conv" and len(numbers) >= 3:
        _, kernel, stride, *rest = numbers
        padding = rest[0] if len(rest) == 2 else 0
    elif layer.kind == "max_pool" and len(numbers) >= 2:
        (kernel, stride), padding = numbers[:2], 0
    elif layer.kind == "wrn":
        return "2 × 3×3"
    elif layer.kind == "spp" and len(numbers) >= 2:
        return f"{numbers[1]} levels"
    else:
        return ""
    extras = (f" /{stride}" if stride > 1 else "") + (f" +{padding}" if padding else "")
    return f"{kernel}×{kernel}{extras}"


class _Curves(_Part):
    """Validation and training accuracy by epoch."""

    def __init__(self) -> None:
        super().__init__("learning curves", id="trial-curves")

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As high as the architecture beside it, but at least a small chart."""
        return max(10, len(self.detail.layers) + 2 if self.detail else 0)

    def name_it(self, detail: protocol.TrialDetail) -> None:
        """Which curve is which."""
        legend = Content.assemble(("━ validation  ", "$warning"), ("━ training", "$secondary"))
        self.border_subtitle = legend if detail.validation_accuracies else Content()

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """A chart, or why there is none."""
        validation, train = detail.validation_accuracies, detail.train_accuracies
        if not validation:
            return [Content.styled("This trial was not trained: see above why.", "$dim")]
        low, high = chart.spread([*validation, *train])
        axes = chart.Axes(
            (1, max(2, len(validation))), (max(0, low), min(1, high)), y_text=lambda value: f"{100 * value:.4g}"
        )
        series = [
            chart.Series(list(enumerate(train, 1)), "$secondary"),
            chart.Series(list(enumerate(validation, 1)), "bold $warning"),
        ]
        return chart.draw(width, min(height, 24), axes, series)


class _Labels(_Part):
    """Of images with several labels how each is told; not there otherwise."""

    def __init__(self) -> None:
        super().__init__("labels", id="trial-labels")
        self.display = False

    def show(self, detail: protocol.TrialDetail | None, failure: str) -> None:
        """Comes and goes with what there is to show."""
        self.display = detail is not None and detail.labels is not None
        super().show(detail, failure)

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """One line a label, of the test split where there was a test."""
        if (labels := detail.labels) is None:
            return []
        split = "test" if labels.test else "validation"
        mean = labels.test_accuracy if labels.test else labels.validation_accuracies[-1]
        room = max(8, min(24, width - 44))
        found = [
            Content.styled(f"{split:<{room}}{'accuracy':>11}{'precision':>11}{'recall':>11}{'F1':>11}", "$dim"),
            Content.assemble(f"{'mean':<{room}}", (f"{text.percent(mean):>11}", "bold")),
        ]
        for score in labels.test or labels.validation:
            numbers = (score.accuracy, score.precision, score.recall, score.f1)
            name = text.shorten(text.clean(score.label), room - 1)
            found.append(Content(f"{name:<{room}}" + "".join(f"{text.percent(number):>11}" for number in numbers)))
        return found


class _Neighbours(_Part):
    """Every step of the architecture in the Q-table, and what would have been better there."""

    def __init__(self) -> None:
        super().__init__("steps in the Q-table", id="trial-neighbours")

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """One line a step."""
        if not detail.neighbours:
            return [Content.styled("The Q-table has not seen this architecture.", "$dim")]
        wide = width >= 66
        found = [Content.styled(f"{'step':<18}{'Q':>8}{'tried':>7}{'rank':>9}   {'better' if wide else ''}", "$dim")]
        for step in detail.neighbours:
            best = step.rank == 1
            line = [
                (f"{text.shorten(text.clean(step.action), 17):<18}", ""),
                (f"{step.q:>8.4f}", "bold"),
                (f"{step.tried:>7}", "$dim"),
                (f"{step.rank:>4}/{step.alternatives:<4}", "$success" if best else "$warning"),
            ]
            if wide:
                better = "✓ greedy" if best else f"▲ {text.clean(step.best_action)} {step.best_q:.4f}"
                line.append((f"   {text.shorten(better, width - 45)}", "$success" if best else "$dim"))
            found.append(Content.assemble(*line))
        return found


def _wrapped(string: str, width: int) -> list[Content]:
    return _wrapped_content(Content.styled(string, "bold"), width)


def _wrapped_content(content: Content, width: int) -> list[Content]:
    return list(content.wrap(width)) if width > 0 else [content]
