"""What the screen of a trial is made of, and what a strategy's own part of it builds on."""

from collections.abc import Sequence
from typing import Any

import msgspec
from textual.content import Content

from nasd import protocol
from nasd.outcome import RungScores
from tui import chart, text
from tui.link import Link
from tui.panes.trials import describe
from tui.widgets.panel import Panel


class Part(Panel):
    """A panel over the trial's detail, as high as its lines."""

    DEFAULT_CSS = """
    Part { height: auto; }
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


class Facts(Part):
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
        facts: list[tuple[str, str, str]] = [
            ("reward", text.percent(row.reward), "bold $warning"),
            *([("rank", _rank(detail.rank, detail.ranked), "")] if detail.rank is not None else []),
            ("validation", text.percent(row.best_validation), ""),
            ("test", text.percent(row.test_accuracy), ""),
            *([("stage", text.clean(row.stage), "")] if row.stage else []),
            *((text.clean(name).replace("_", " "), fact(value), "") for name, value in row.facts.items()),
            *([("quick look", text.percent(detail.screening), "")] if detail.screening is not None else []),
            *([("rungs", _rungs(detail.rungs), "")] if detail.rungs is not None else []),
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
        short = [one for one in facts if len(one[0]) < 11 and len(one[1]) < 14]
        for start in range(0, len(short), across):
            cells = [
                Content.assemble((f"{name:<11}", "$dim"), (f"{value:<13} ", style))
                for name, value, style in short[start : start + across]
            ]
            found.append(Content("").join(cells))
        for name, value, style in (one for one in facts if one not in short):
            line = Content.assemble((f"{name:<10} ", "$dim"), (value, style))
            found += _wrapped_content(line, width)
        if detail.seed is not None:
            found.append(Content.assemble((f"{'seed':<11}", "$dim"), str(detail.seed)))
        if detail.duplicates:
            found.append(Content.assemble(("repeats    ", "$dim"), _repeats(detail, width - 11)))
        return found


def _rank(rank: int, of: int) -> str:
    """1st of 717."""
    last = "th" if 10 < rank % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    written = f"{text.count(rank)}{last} of {text.count(of)}"
    return written if len(written) < 14 else f"{text.count(rank)}{last}"


def _repeats(detail: protocol.TrialDetail, width: int) -> str:
    """As many numbers as there is room for, and how many are left out."""
    shown = list(map(str, detail.duplicates))
    while True:
        left_out = max(detail.repeats, len(detail.duplicates)) - len(shown)
        line = ", ".join(shown) + (f" and {text.count(left_out)} more" if left_out else "")
        if len(line) <= width or not shown:
            return line.removeprefix(" and ")
        shown.pop()


def fact(value: Any) -> str:
    """A value that a strategy gave, in words."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(fact, value)) or "–"
    if value is None:
        return "–"
    return text.clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())


class Curves(Part):
    """Validation and training accuracy by epoch."""

    def __init__(self) -> None:
        super().__init__("learning curves", id="trial-curves")

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As high as the architecture beside it, but at least a small chart."""
        return max(10, len(self.detail.graph.nodes) + 2 if self.detail else 0)

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


class Labels(Part):
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


def _wrapped(string: str, width: int) -> list[Content]:
    return _wrapped_content(Content.styled(string, "bold"), width)


def _wrapped_content(content: Content, width: int) -> list[Content]:
    return list(content.wrap(width)) if width > 0 else [content]


def _rungs(rungs: RungScores) -> str:
    """The scores, in the order of the rungs."""
    return " ".join(map(text.percent, rungs.scores))
