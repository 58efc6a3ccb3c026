"""The load of the box and its devices."""

from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import text, theme
from tui.link import Link
from tui.widgets.panel import Panel


class MachinePanel(Panel):
    """Bars; with more room the daemon's age, its queue, and how the trials ended."""

    def __init__(self, link: Link) -> None:
        super().__init__("machine", id="machine")
        self._link = link

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Devices, processor, memory, disk."""
        status = self._link.status
        machine = status.machine if status else None
        if machine is None:
            return [Content.styled("The daemon has not measured its load yet.", "$dim")]
        found = []
        for device in machine.devices:
            name = text.clean(device.name)
            if device.utilisation is not None:
                found.append(_gauge(name, device.utilisation, f"{100 * device.utilisation:.0f} %", width, "$primary"))
            share = device.memory_used / device.memory_total if device.memory_total else 0.0
            label = "  memory" if device.utilisation is not None else name
            found.append(_gauge(label, share, text.size(device.memory_used), width))
        found.append(_gauge("cpu", machine.cpu, f"{100 * machine.cpu:.0f} %", width, "$primary"))
        share = machine.memory_used / machine.memory_total if machine.memory_total else 0.0
        found.append(_gauge("memory", share, text.size(machine.memory_used), width))
        disk = f"{text.size(machine.disk_free)} free"
        if width >= 36:
            disk = f"{text.size(machine.disk_run)} used, {disk}"
        found.append(Content.assemble((f"{'disk':<9}", "$dim"), disk))
        if status is not None and height > len(found):
            up = text.duration(self._link.now - status.started_at)
            version = f", nasd {text.clean(status.version)}" if width >= 36 else ""
            found.append(Content.assemble((f"{'daemon':<9}", "$dim"), f"up {up}{version}"))
            waiting = f"{status.jobs_queued} queued" if status.jobs_queued else "none queued"
            found.append(Content.assemble((f"{'jobs':<9}", "$dim"), waiting))
            found.append(Content())
            found += _marks(status.progress, width)
        return found


def _gauge(name: str, share: float, value: str, width: int, colour: str = "") -> Content:
    """A bar; without a colour of its own it warns when it gets full (memory should not, a device should)."""
    room = max(3, width - 9 - 9)
    filled, rest = text.bar(share, room)
    if not colour:
        colour = "$error" if share > 0.95 else "$warning" if share > 0.85 else "$success"
    return Content.assemble(
        (f"{text.shorten(name, 8):<9}", "$dim"), (filled, f"{colour} on $panel"), (rest, "on $panel"), f"{value:>9}"
    )


def _marks(progress: protocol.SearchProgress, width: int) -> list[Content]:
    """How the trials ended, which is also the legend of the marks."""
    found = []
    for status, (glyph, name, colour) in theme.MARKS.items():
        number = progress.by_status.get(status, 0)
        share = f"{100 * number / progress.trials:.1f} %" if progress.trials else ""
        mark = (f"{glyph} ", colour), (f"{name:<11}", "$dim")
        found.append(Content.assemble(*mark, f"{text.count(number):>8}{share:>8}"))
    return found
