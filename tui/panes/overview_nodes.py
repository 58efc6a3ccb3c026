"""The workers of a cluster, a line for each node: however many there are, they are seen at once."""

from collections import Counter
from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import text


def on_cluster(workers: Sequence[protocol.WorkerStatus]) -> bool:
    """Whether some worker is on a node of a cluster, or waits for a place there."""
    return any(worker.node or worker.waits_for for worker in workers)


def waiting(worker: protocol.WorkerStatus) -> str:
    """In a word or a sentence what a worker does that evaluates nothing."""
    return text.clean(worker.waits_for) if worker.waits_for and worker.state != "idle" else worker.state


def by_node(
    workers: Sequence[protocol.WorkerStatus], nodes: Sequence[protocol.Node], width: int, height: int
) -> list[Content]:
    """At most `height` lines: what has no place and why, then the nodes by name with their workers and their load."""
    load = {node.name: node for node in nodes}
    placed: dict[str, list[protocol.WorkerStatus]] = {name: [] for name in sorted(load)}
    for worker in workers:
        if worker.node:
            placed.setdefault(worker.node, []).append(worker)
    reasons = Counter(waiting(worker) for worker in workers if not worker.node)
    lines = [_without_place(reason, count, width) for reason, count in reasons.most_common(max(1, height // 3))]
    shown = [name for name in placed if placed[name]] + [name for name in placed if not placed[name]]
    room = max(1, height - len(lines))
    if len(shown) > room:
        rest = shown[room - 1 :]
        count = sum(len(placed[name]) for name in rest)
        shown = shown[: room - 1]
        more = [Content.styled(text.shorten(f"+{len(rest)} more nodes, {count} workers", width), "$dim")]
    else:
        more = []
    across = min(max((len(text.clean(name)) for name in shown), default=0), max(8, width // 3))
    return [*lines, *(_node(name, placed[name], load.get(name), across, width) for name in shown), *more][:height]


def _without_place(reason: str, count: int, width: int) -> Content:
    """`3 wait: no node has 4 CPU`, `1 starting`."""
    if " " not in reason:
        return Content.styled(text.shorten(f"○ {count} {reason}", width), "$dim")
    verb = "waits" if count == 1 else "wait"
    return Content.styled(text.shorten(f"○ {count} {verb}: {reason.removeprefix('waiting for ')}", width), "$warning")


def _node(
    name: str, workers: Sequence[protocol.WorkerStatus], load: protocol.Node | None, across: int, width: int
) -> Content:
    busy = sum(worker.state == "busy" for worker in workers)
    label = text.shorten(text.clean(name), across).ljust(across)
    parts: list[str | tuple[str, str]] = [
        ("● " if busy else "○ ", "$success" if busy else "$dim"),
        label,
        f" {busy}/{len(workers)} busy",
    ]
    if load is not None:
        if load.gpus:  # first, since a narrow panel ends here
            parts.append((f"  {load.gpus_taken:g}/{load.gpus:g} GPU", "$dim"))
        parts.append((f"  {load.cpus_taken:g}/{load.cpus:g} CPU", "$dim"))
    return Content.assemble(*parts).truncate(width, ellipsis=True)
