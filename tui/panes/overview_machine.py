"""The load of the box and its devices."""

from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import chart, text, theme
from tui.link import Link
from tui.widgets.panel import Panel


class MachinePanel(Panel):
    """Bars; with more room the daemon's age, its queue, and how the trials ended."""

    def __init__(self, link: Link) -> None:
        super().__init__("machine", id="machine")
        self._link = link
        self._history: protocol.MachineHistory | None = None

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Devices, processor, memory, disk."""
        status = self._link.status
        machine = status.machine if status else None
        if machine is None:
            measured = "The daemon has not measured its load yet." if self._link.serving else "no daemon measures it"
            return [Content.styled(measured, "$dim"), Content(), *(_marks(status.progress, width) if status else [])]
        fixed = [self._disk(machine, width), *_box(machine, width)]
        devices = [_device(device, width) for device in machine.devices]
        folded = [[_folded(device, width)] for device in machine.devices]
        marks = _marks(status.progress, width) if status else []
        jobs, up = self._jobs(width), self._up(width)
        # From roomy to tight: what is left out first is what is least missed.
        for shown, rest in (
            (devices, [*self._hours(width), up, jobs, Content(), *marks]),
            (devices, [up, jobs, Content(), *marks]),
            (folded, [up, jobs, Content(), *marks]),
            (folded, [jobs, *marks]),
            (devices, [jobs]),
            (devices, []),
            (folded, []),
        ):
            lines = [*fixed, *(line for device in shown for line in device), *rest]
            if len(lines) <= height:
                return lines
        room = max(0, height - len(fixed) - 1)
        hidden = len(folded) - room
        return [*fixed, *(device[0] for device in folded[:room]), Content.styled(f"+{hidden} more devices", "$dim")]

    def show(self, history: protocol.MachineHistory) -> None:
        """What the daemon measured over the last hours."""
        self._history = history
        self.renew()

    def _hours(self, width: int) -> list[Content]:
        """Sparklines over what is known of the last day, each on its own scale."""
        history = self._history
        if history is None or len(history.times) < 2:
            return []
        lines = [("trials/h", history.trials_per_hour, f"{history.trials_per_hour[-1]:.3g}"), ("cpu", history.cpu, "")]
        lines += [(f"{device.name}", device.utilisation, "") for device in history.devices[:1]]
        known = text.duration(history.times[-1] - history.times[0])
        room = max(8, width - 9 - 7)
        said = f"the last {known}; m shows all"
        found = [Content.styled(said if len(said) <= width else f"the last {known}", "$dim")]
        for name, values, written in lines:
            series = [value or 0.0 for value in values]
            thinned = [value for _, value in chart.thin(list(enumerate(series)), room)]
            top = max(thinned) if name == "trials/h" else 1.0
            found.append(
                Content.assemble(
                    (text.shorten(text.clean(name), 8).ljust(9), "$dim"), (text.sparkline(thinned, 0, top), "$primary"),
                    f" {written}",
                )
            )  # fmt: skip
        return found

    def _disk(self, machine: protocol.Machine, width: int) -> Content:
        disk = f"{text.size(machine.disk_free)} free"
        if width >= 36:
            disk += f", {text.size(machine.disk_run)} used"
        return Content.assemble((f"{'disk':<9}", "$dim"), disk)

    def _up(self, width: int) -> Content:
        if (status := self._link.status) is None:
            return Content()
        version = f", nasd {text.clean(status.version)}" if width >= 36 else ""
        up = text.duration(self._link.now - status.started_at)
        return Content.assemble((f"{'daemon':<9}", "$dim"), f"up {up}{version}")

    def _jobs(self, width: int) -> Content:
        queued = self._link.status.jobs_queued if self._link.status else 0
        return Content.assemble((f"{'jobs':<9}", "$dim"), f"{queued} queued" if queued else "none queued")


def _box(machine: protocol.Machine, width: int) -> list[Content]:
    share = machine.memory_used / machine.memory_total if machine.memory_total else 0.0
    return [
        _gauge("cpu", machine.cpu, f"{100 * machine.cpu:.0f} %", width, "$primary"),
        _gauge("memory", share, text.size(machine.memory_used), width),
    ]


def _device(device: protocol.Device, width: int) -> list[Content]:
    """Use and memory."""
    name, found = text.clean(device.name), []
    if device.utilisation is not None:
        found.append(_gauge(name, device.utilisation, f"{100 * device.utilisation:.0f} %", width, "$primary"))
    share = device.memory_used / device.memory_total if device.memory_total else 0.0
    label = "  memory" if device.utilisation is not None else name
    return [*found, _gauge(label, share, text.size(device.memory_used), width)]


def _folded(device: protocol.Device, width: int) -> Content:
    """The same in one line."""
    use = "" if device.utilisation is None else f"{100 * device.utilisation:.0f} %"
    return _gauge(
        text.clean(device.name), device.utilisation or 0.0, f"{use:>5}{text.size(device.memory_used):>9}", width,
        "$primary",
    )  # fmt: skip


def _gauge(name: str, share: float, value: str, width: int, colour: str = "") -> Content:
    """A bar; without a colour of its own it warns when it gets full (memory should not, a device should)."""
    end = max(9, len(value) + 1)
    room = max(0, width - 9 - end)
    filled, rest = text.bar(share, room)
    if not colour:
        colour = "$error" if share > 0.95 else "$warning" if share > 0.85 else "$success"
    label = text.shorten(name, 8).ljust(9)[: max(0, width - end)]
    return Content.assemble((label, "$dim"), (filled, f"{colour} on $panel"), (rest, "on $panel"), f"{value:>{end}}")


def _marks(progress: protocol.SearchProgress, width: int) -> list[Content]:
    """How the trials ended, which is also the legend of the marks. Numbers win over names where room is short."""
    numbers = {status: progress.by_status.get(status, 0) for status in theme.MARKS}
    across = max(len(text.count(number)) for number in numbers.values()) + 1
    room = max(4, min(width, 34) - 2 - across - 8)
    found = []
    for status, (glyph, name, colour) in theme.MARKS.items():
        number = numbers[status]
        share = f"{100 * number / progress.trials:.1f} %" if progress.trials else ""
        label = text.shorten(name, room).ljust(room)
        found.append(
            Content.assemble((f"{glyph} ", colour), (label, "$dim"), f"{text.count(number):>{across}}{share:>8}")
        )
    return found
