"""The epsilon schedule: how far each phase is, and which rewards it brought."""

from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import text
from tui.link import Link
from tui.widgets.panel import Panel


def current(link: Link, phases: Sequence[protocol.Phase]) -> Sequence[protocol.Phase]:
    """The phases with the position of the newest event, which may be ahead of the page they came with."""
    if link.status is None:
        return phases
    here, done = link.status.progress.phase, link.status.progress.phase_done
    return [
        protocol.Phase(
            epsilon=phase.epsilon,
            count=phase.count,
            done=phase.count if index < here else done if index == here else 0,
            first_trial=phase.first_trial,
            mean=phase.mean,
            quartiles=phase.quartiles,
            histogram=phase.histogram,
        )
        for index, phase in enumerate(phases)
    ]


class ProgressPanel(Panel):
    """One line: where the search is; below it the phases side by side."""

    def __init__(self, link: Link) -> None:
        super().__init__("search", id="progress")
        self._link = link
        self._phases: Sequence[protocol.Phase] = ()

    def show(self, phases: Sequence[protocol.Phase]) -> None:
        """What the daemon sent."""
        self._phases = phases
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Counts and ETA, then for every phase its epsilon, how far it is, its median reward."""
        status = self._link.status
        if status is None:
            return [Content.styled(text.clean(self._link.sentence), "$dim")]
        return [self._position(status.progress, width), *self._schedule(width)]

    def _position(self, progress: protocol.Progress, width: int) -> Content:
        share = progress.counted / progress.total if progress.total else 0.0
        left = Content.assemble(
            (f"{100 * share:.1f} %", "bold $primary"),
            ("  counted ", "$dim"),
            f"{text.count(progress.counted)} of {text.count(progress.total)}",
            ("  trials ", "$dim"),
            text.count(progress.trials),
        )
        if progress.eta_seconds is None:
            right = Content.styled("no ETA yet", "$dim")
        elif progress.counted >= progress.total:
            right = Content.styled("schedule complete", "$success")
        else:
            right = Content.assemble(("left ", "$dim"), text.duration(progress.eta_seconds))
            if progress.eta_low is not None and progress.eta_high is not None:
                spread = f" ({text.duration(progress.eta_low)} to {text.duration(progress.eta_high)})"
                if left.cell_length + right.cell_length + len(spread) + 1 <= width:
                    right += Content.styled(spread, "$dim")
        return left + Content(" " * max(1, width - left.cell_length - right.cell_length)) + right

    def _schedule(self, width: int) -> list[Content]:
        phases = current(self._link, self._phases)
        if not phases:
            return []
        rooms = _rooms(phases, width)
        names, bars, medians = [], [], []
        for phase, room in zip(phases, rooms, strict=True):
            here = 0 < phase.done < phase.count
            style = "bold $primary" if here else "" if phase.done else "$dim"
            names.append(Content.styled(f"{phase.epsilon:g}".ljust(room), style))
            filled, rest = text.bar(phase.done / phase.count if phase.count else 1.0, room - 1)
            bars.append(Content.assemble((filled, "$primary on $panel"), (rest, "on $panel"), " "))
            median = f"{100 * phase.quartiles[2]:.1f}" if phase.quartiles else "·"
            medians.append(Content.styled(median[: room - 1].ljust(room), "" if phase.quartiles else "$faint"))
        titles = [("ε ", names), ("  ", bars), ("~ ", medians)]
        return [Content.styled(title, "$dim") + Content("").join(parts) for title, parts in titles]


def _rooms(phases: Sequence[protocol.Phase], width: int) -> list[int]:
    """Cells for each phase: at least five, the rest by the square root of its length."""
    width -= 2
    least = max(2, min(5, width // len(phases)))
    free = max(0, width - least * len(phases))
    weights = [max(1, phase.count) ** 0.5 for phase in phases]
    rooms = [least + int(free * weight / sum(weights)) for weight in weights]
    rooms[0] += max(0, width - sum(rooms))
    return rooms


class Phases(Panel):
    """The rewards of every phase: a box from quartile to quartile, whiskers to the extremes, and a histogram."""

    def __init__(self, link: Link) -> None:
        super().__init__("reward by phase", id="phases")
        self._link = link
        self._phases: Sequence[protocol.Phase] = ()

    def show(self, phases: Sequence[protocol.Phase]) -> None:
        """What the daemon sent."""
        self._phases = phases
        self.renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """A line for every phase that began."""
        every = current(self._link, self._phases)
        phases = [phase for phase in every if phase.quartiles]
        if not phases:
            return [Content.styled("No phase has rewards yet.", "$dim")]
        low = max(0.0, min(phase.quartiles[1] for phase in phases if phase.quartiles) - 0.15)
        high = min(1.0, max(phase.quartiles[4] for phase in phases if phase.quartiles) + 0.01)
        wide = width >= 56
        room = width - (35 if wide else 14)
        found = []
        for phase in phases[-max(1, height - 1) :]:
            assert phase.quartiles is not None
            line = [(f"{phase.epsilon:>4g} ", ""), *_box(phase.quartiles, low, high, room)]
            line.append((f" {100 * phase.quartiles[2]:6.2f}", "bold"))
            if wide:
                line += [(" " + text.sparkline(phase.histogram, 0).replace("▁", " "), "$secondary")]
            found.append(Content.assemble(*line))
        ends = f"{100 * low:.0f}".ljust(room - 4) + f"{100 * high:.0f}".rjust(4)
        tail = " median" + (" 0      histogram  100" if wide else "")
        found.append(Content.styled(f"   ε {ends}{tail}", "$dim"))
        ahead = [phase for phase in every if not phase.done][: max(0, height - len(found))]
        return [
            *found,
            *(Content.styled(f"{phase.epsilon:>4g} {phase.count} trials to come", "$dim") for phase in ahead),
        ]


def _box(quartiles: tuple[float, ...], low: float, high: float, room: int) -> list[tuple[str, str]]:
    """A box plot of one line."""
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
