"""What the daemon is doing right now, with the learning curve of the trial under way."""

from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import chart, text, theme
from tui.link import Link
from tui.panes.overview_nodes import by_node, on_cluster, waiting
from tui.widgets.panel import Panel


class Now(Panel):
    """The activity in words, every worker, and the curves of those that train."""

    def __init__(self, link: Link) -> None:
        super().__init__("now", id="now")
        self._link = link
        self._last: tuple[Sequence[protocol.WorkerStatus], Sequence[protocol.WorkerStatus]] = (), ()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """Words first; the chart takes what is left."""
        status = self._link.status
        if status is None:
            return [Content.styled("waiting for the daemon", "$dim")]
        if not self._link.serving:
            return [Content.styled("no daemon, no trial under way", "$dim")]
        busy = [worker for worker in status.workers if worker.state == "busy"]
        found = []
        if len(busy) != 1:
            found.append(Content(text.shorten(text.clean(status.activity), width)))
        room = max(1, height - 6)
        if len(status.workers) > room and on_cluster(status.workers):
            found += by_node(status.workers, status.machine.nodes if status.machine else (), width, height - len(found))
            return found
        for worker in status.workers[:room]:
            found += self._worker(worker, width, height, alone=len(busy) == 1, order=_order(busy, worker))
        if status.state == "paused":
            found.append(Content.styled("Nothing is trained: p resumes." if width >= 30 else "p resumes.", "$dim"))
        curves = [worker for worker in busy if worker.validation_accuracies]
        if curves:
            self._last = curves, busy
        elif self._last[0]:  # between two trials
            names = ", ".join(map(_what, self._last[0]))
            found.append(Content.styled(text.shorten(f"before: {names}", width), "$dim"))
        if self._last[0] and height - len(found) >= 3:
            found += _curves(*self._last, width, height - len(found))
        return found

    def _worker(
        self, worker: protocol.WorkerStatus, width: int, height: int, *, alone: bool, order: int
    ) -> list[Content]:
        if worker.state != "busy":
            place = text.clean(worker.node or worker.device)
            return [Content.styled(text.shorten(f"○ {place} {waiting(worker)}", width), "$dim")]
        what = _what(worker)
        colour = theme.SERIES[order % len(theme.SERIES)]
        stage = text.clean(worker.stage or "")
        if stage == "train" and worker.epochs:
            stage = f"epoch {worker.epoch}/{worker.epochs}"
        last = worker.validation_accuracies[-1] if worker.validation_accuracies else None
        head: list[str | Content | tuple[str, str]] = [("● ", colour), (what, "bold"), f" {stage}"]
        value: list[str | Content | tuple[str, str]] = []
        if last is not None:
            value = [(" val ", "$dim"), (text.percent(last), colour)]
        if not alone:
            return [Content.assemble(*head, *value)]
        since = self._link.now - worker.started_at if worker.started_at else None
        facts = f" · {text.duration(since)} · {text.clean(worker.device)} · {text.size(worker.memory)}"
        second = Content.assemble(*value[1:], (facts if value else facts[3:], "$dim"))
        room = max(1, min(3, height - 8))
        net = _folded(text.clean(worker.net or ""), width)
        if len(net) > room:
            net = [*net[: room - 1], text.shorten(" ".join(part.strip() for part in net[room - 1 :]), width)]
        return [Content.assemble(*head), second.truncate(width, ellipsis=True), *map(Content, net)]


def _what(worker: protocol.WorkerStatus) -> str:
    if worker.work is not None:
        return text.clean(worker.work)
    return f"job {worker.job}" if worker.job is not None else f"trial {text.count(worker.trial or 0)}"


def _order(busy: Sequence[protocol.WorkerStatus], worker: protocol.WorkerStatus) -> int:
    return next((index for index, one in enumerate(busy) if one.id == worker.id), 0)


def _folded(net: str, width: int) -> list[str]:
    """An architecture string on several lines, broken between layers."""
    lines = [""]
    for layer in net.split(", "):
        piece = layer if layer.endswith("]") else layer + ", "
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return lines


def _curves(
    workers: Sequence[protocol.WorkerStatus], busy: Sequence[protocol.WorkerStatus], width: int, height: int
) -> list[Content]:
    series = []
    values: list[float] = []
    for worker in workers:
        colour = theme.SERIES[_order(busy, worker) % len(theme.SERIES)]
        if len(workers) == 1:
            series.append(chart.Series(list(enumerate(worker.train_accuracies, 1)), "$secondary"))
            values += worker.train_accuracies
        series.append(chart.Series(list(enumerate(worker.validation_accuracies, 1)), f"bold {colour}"))
        values += worker.validation_accuracies
    low, high = chart.spread(values)
    last = max(2, *(max(worker.epochs, worker.epoch) for worker in workers))
    axes = chart.Axes((1, last), (max(0, low), min(1, high)), y_text=lambda value: f"{100 * value:.4g}")
    return chart.draw(width, height, axes, series)
