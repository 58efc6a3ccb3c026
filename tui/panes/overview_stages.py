"""The stages of the search: how far each is, and which rewards it brought."""

from collections.abc import Sequence

import msgspec
from textual.content import Content

from nasd import protocol
from tui import text
from tui.link import Link
from tui.widgets.panel import Panel


def current(link: Link, stages: Sequence[protocol.StageRewards]) -> Sequence[protocol.StageRewards]:
    """The stages with the position of the newest event, which may be ahead of the page they came with."""
    if link.status is None:
        return stages
    found = []
    for index, stage in enumerate(link.status.progress.stages):
        known = index < len(stages) and stages[index].label == stage.label
        rewards = stages[index] if known else protocol.StageRewards(label=stage.label, done=0, of=None)
        found.append(msgspec.structs.replace(rewards, done=stage.done, of=stage.of))
    return found


class _StagesPanel(Panel):
    """A panel over the stages."""

    def __init__(self, title: str, link: Link, id: str) -> None:
        super().__init__(title, id=id)
        self._link = link
        self._stages: Sequence[protocol.StageRewards] = ()

    def show(self, stages: Sequence[protocol.StageRewards]) -> None:
        """What the daemon sent."""
        self._stages = stages
        self.renew()


class ProgressPanel(_StagesPanel):
    """One line: where the search is; below it the stages side by side."""

    def __init__(self, link: Link) -> None:
        super().__init__("search", link, id="progress")

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Counts and ETA, then for every stage its label, how far it is, its median reward."""
        status = self._link.status
        if status is None:
            return [Content.styled("waiting for the daemon", "$dim")]
        return [self._position(status, width), *self._side_by_side(status.progress.stage, width)]

    def _position(self, status: protocol.Status, width: int) -> Content:
        progress, total = status.progress, status.progress.total
        share = "" if total is None else f"{100 * progress.counted / total if total else 100:.1f} %  "
        left = Content.assemble(
            (share, "bold $primary"),
            ("counted ", "$dim"),
            text.count(progress.counted) + ("" if total is None else f" of {text.count(total)}"),
            ("  trials ", "$dim"),
            text.count(progress.trials),
        )
        if total is None:
            right = Content.styled("no end known yet", "$dim")
        elif progress.counted >= total:
            right = Content.styled("search complete", "$success")
        elif progress.eta_seconds is None:
            right = Content.styled("no ETA yet" if self._link.serving else "no daemon", "$dim")
        else:
            right = Content.assemble(("left ", "$dim"), text.duration(progress.eta_seconds))
            if status.state == "running":
                right += Content.styled(
                    f", at {text.moment(self._link.now + progress.eta_seconds, self._link.now)}", "$dim"
                )
            if progress.eta_low is not None and progress.eta_high is not None:
                spread = f" ({text.duration(progress.eta_low)} to {text.duration(progress.eta_high)})"
                if left.cell_length + right.cell_length + len(spread) + 1 <= width:
                    right += Content.styled(spread, "$dim")
        return left + Content(" " * max(1, width - left.cell_length - right.cell_length)) + right

    def _side_by_side(self, here: int, width: int) -> list[Content]:
        every = current(self._link, self._stages)
        if not every:
            return []
        labels = [text.clean(stage.label) for stage in every]
        common = text.common_start(labels)
        margin = max(2, len(common))
        # Of very many stages, those around the present one.
        most = max(1, (width - margin) // 5)
        first = max(0, min(here - most // 2, len(every) - most))
        stages = every[first : first + most]
        rooms = _rooms(stages, width - margin)
        names, bars, medians = [], [], []
        for stage, label, room in zip(stages, labels[first:], rooms, strict=False):
            active = stage is every[here] and stage.done != stage.of
            style = "bold $primary" if active else "" if stage.done else "$dim"
            names.append(Content.styled(text.shorten(label[len(common) :], room - 1).ljust(room), style))
            bars.append(_bar(stage, room))
            median = f"{100 * stage.quartiles[2]:.1f}" if stage.quartiles else "·"
            medians.append(Content.styled(median[: room - 1].ljust(room), "" if stage.quartiles else "$faint"))
        titles = [(common, names), ("", bars), ("~", medians)]
        return [Content.styled(title.ljust(margin), "$dim") + Content("").join(parts) for title, parts in titles]


def _bar(stage: protocol.StageRewards, room: int) -> Content:
    """How far a stage is: a bar, or a count where nobody knows its end."""
    if stage.of is None:
        return Content.styled(text.shorten(f"{text.count(stage.done)} …", room - 1).ljust(room), "$primary")
    filled, rest = text.bar(stage.done / stage.of if stage.of else 1.0, room - 1)
    return Content.assemble((filled, "$primary on $panel"), (rest, "on $panel"), " ")


def _rooms(stages: Sequence[protocol.StageRewards], width: int) -> list[int]:
    """Cells for each stage: at least five, the rest by the square root of its length."""
    least = max(2, min(5, width // len(stages)))
    free = max(0, width - least * len(stages))
    weights = [max(1, stage.of or stage.done) ** 0.5 for stage in stages]
    rooms = [least + int(free * weight / sum(weights)) for weight in weights]
    rooms[0] += max(0, width - sum(rooms))
    return rooms


class Stages(_StagesPanel):
    """The rewards of every stage: a box from quartile to quartile, whiskers to the extremes, and a histogram."""

    def __init__(self, link: Link) -> None:
        super().__init__("reward by stage", link, id="stages")

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """A line for every stage that began."""
        every = current(self._link, self._stages)
        stages = [stage for stage in every if stage.quartiles]
        if not stages:
            return [Content.styled("No stage has rewards yet.", "$dim")]
        low = max(0.0, min(stage.quartiles[1] for stage in stages if stage.quartiles) - 0.15)
        high = min(1.0, max(stage.quartiles[4] for stage in stages if stage.quartiles) + 0.01)
        wide = width >= 56
        margin = min(12, 1 + max(len(text.clean(stage.label)) for stage in every))
        room = width - margin - (30 if wide else 9)
        found = []
        for stage in stages[-max(1, height - 1) :]:
            assert stage.quartiles is not None
            line = [(_label(stage, margin), ""), *box(stage.quartiles, low, high, room)]
            line.append((f" {100 * stage.quartiles[2]:6.2f}", "bold"))
            if wide:
                line += [(" " + text.sparkline(stage.histogram, 0).replace("▁", " "), "$secondary")]
            found.append(Content.assemble(*line))
        ends = f"{100 * low:.0f}".ljust(room - 4) + f"{100 * high:.0f}".rjust(4)
        tail = " median" + (" 0      histogram  100" if wide else "")
        found.append(Content.styled(f"{' ' * margin}{ends}{tail}", "$dim"))
        progress = self._link.status.progress if self._link.status else None
        ended = progress is not None and progress.total is not None and progress.counted >= progress.total
        ahead = [] if ended else [stage for stage in every if not stage.done][: max(0, height - len(found))]
        return [*found, *(_ahead(stage, margin) for stage in ahead)]


def _ahead(stage: protocol.StageRewards, margin: int) -> Content:
    trials = "trials" if stage.of is None else f"{text.count(stage.of)} trials"
    return Content.styled(f"{_label(stage, margin)}{trials} to come", "$dim")


def _label(stage: protocol.StageRewards, margin: int) -> str:
    return text.shorten(text.clean(stage.label), margin - 1).ljust(margin)


def box(quartiles: tuple[float, ...], low: float, high: float, room: int) -> list[tuple[str, str]]:
    """A box plot of one line, `room` cells wide: minimum, quartiles, maximum between `low` and `high`."""
    at = [round((min(high, max(low, value)) - low) / ((high - low) or 1.0) * (room - 1)) for value in quartiles]
    cells = [(" ", "")] * room
    for x in range(at[0], at[4] + 1):
        cells[x] = ("─", "$dim")
    for x in range(at[1], at[3] + 1):
        cells[x] = ("▒", "$primary")
    if quartiles[0] < low:
        cells[0] = ("‹", "$dim")
    cells[at[2]] = ("█", "$warning")
    return cells
