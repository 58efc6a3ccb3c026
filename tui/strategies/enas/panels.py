"""The panels above the epochs of a supernet."""

import math
from collections.abc import Sequence

from textual.content import Content

from nasd.protocol.enas import Choices, Epochs, Standing
from tui import chart, text
from tui.widgets.panel import Panel

NOTHING = "Starts with the end of the first epoch."


class Units(Panel):
    """A bar for each unit: how probable its likeliest choice is, and how undecided the controller still is."""

    def __init__(self) -> None:
        super().__init__("the controller's choices", id="enas-units")
        self._choices: Choices | None = None  # after the last epoch
        self._standing: Standing | None = None  # in the epoch under way

    def show(self, choices: Choices) -> None:
        """Another state of the controller, at the end of an epoch."""
        self._choices = choices
        self.follow(None, "")

    def follow(self, standing: Standing | None, done: str) -> None:
        """The epoch under way, of which `done` says how far it is; None: there is none."""
        self._standing, choices = standing, self._choices
        told = "" if choices is None or choices.trial is None else f"after trial {choices.trial}"
        if standing is not None:
            reward = "" if standing.reward is None else f" · reward {text.percent(standing.reward)}"
            told = f"{done}{reward} · H {standing.entropy:.3f}"
        self.border_subtitle = Content(told)
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Units in the order of the network, as many as there is room for: the least decided ones if not all."""
        shown_now = self._standing or self._choices
        units = shown_now.units if shown_now else ()
        if not units:
            return [Content.styled(NOTHING, "$dim")]
        shown = list(range(len(units)))
        if len(units) > height:
            open_ = sorted(shown, key=lambda number: (-units[number].entropy, number))[: max(1, height - 1)]
            shown = sorted(open_)
        label = max(len(units[number].label) for number in shown)
        name = max(len(choice) for number in shown for choice in units[number].choices)
        bar_width = max(4, width - label - name - 20)
        lines = []
        for number in shown:
            unit = units[number]
            best = max(range(len(unit.choices)), key=lambda place: unit.probabilities[place])
            filled, rest = text.bar(unit.probabilities[best], bar_width)
            most = math.log(len(unit.choices))
            style = (
                "$success" if unit.entropy < 0.25 * most else "$warning" if unit.entropy > 0.9 * most else "$primary"
            )
            lines.append(
                Content.assemble(
                    (f"{unit.label:<{label}} ", "$dim"),
                    (f"{unit.choices[best]:>{name}} ", "bold"),
                    (filled, style),
                    (rest, ""),
                    (f" {text.percent(unit.probabilities[best]):>5} ", ""),
                    (f"H {unit.entropy:.2f}", "$dim"),
                )
            )
        if len(units) > len(shown):
            lines.append(Content.styled(f"and {len(units) - len(shown)} units that are more decided", "$dim"))
        return lines


class Curves(Panel):
    """Accuracy of the derived architecture, mean reward of those that were drawn, and the baseline, by epoch."""

    def __init__(self) -> None:
        super().__init__("accuracy, reward and baseline by epoch", id="enas-curves")
        self._page: Epochs | None = None

    def show(self, page: Epochs) -> None:
        """Another page of epochs."""
        self._page = page
        last = page.epochs[0] if page.epochs else None
        facts = [f"epoch {page.total} of {page.of}"]
        if last is not None:
            facts += [f"accuracy {text.percent(last.accuracy)}", f"reward {text.percent(last.mean_reward)}"]
        self.border_subtitle = Content(" · ".join(facts))
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The chart."""
        epochs = tuple(reversed(self._page.epochs)) if self._page else ()
        if not epochs:
            return [Content.styled(NOTHING, "$dim")]
        accuracy = [(epoch.epoch, epoch.accuracy) for epoch in epochs]
        reward = [(epoch.epoch, epoch.mean_reward) for epoch in epochs if epoch.mean_reward]
        baseline = [(epoch.epoch, epoch.baseline) for epoch in epochs if epoch.baseline is not None]
        low, high = chart.spread([y for _, y in (*accuracy, *reward, *baseline)])
        axes = chart.Axes(
            (epochs[0].epoch, max(epochs[-1].epoch, epochs[0].epoch + 1)), (max(0.0, low), high),
            y_text=lambda value: f"{100 * value:.4g}",
        )  # fmt: skip
        series = [
            chart.Series(baseline, "$dim"), chart.Series(reward, "$secondary"), chart.Series(accuracy, "bold $success"),
        ]  # fmt: skip
        return chart.draw(width, height, axes, series)


class Front(Panel):
    """Each derived architecture as a dot: its size, and its accuracy; those that no other beats in both as a line."""

    def __init__(self) -> None:
        super().__init__("accuracy by size, with the Pareto front", id="enas-front")
        self._page: Epochs | None = None

    def show(self, page: Epochs) -> None:
        """Another page of epochs."""
        self._page = page
        self.border_subtitle = Content(f"{sum(epoch.in_front for epoch in page.epochs)} in front")
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The chart."""
        epochs = self._page.epochs if self._page else ()
        if not epochs:
            return [Content.styled(NOTHING, "$dim")]
        points = [(epoch.bytes, epoch.accuracy) for epoch in epochs]
        front = sorted((epoch.bytes, epoch.accuracy) for epoch in epochs if epoch.in_front)
        low, high = chart.spread([y for _, y in points])
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        axes = chart.Axes(
            (left, max(right, left + 1)), (max(0.0, low), high), x_text=text.size,
            y_text=lambda value: f"{100 * value:.4g}",
        )  # fmt: skip
        return chart.draw(
            width, height, axes, [chart.Series(points, "$secondary", line=False), chart.Series(front, "bold $success")]
        )
