"""The drawing of an architecture in the screen of a trial."""

import math
from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from nasd.client import graph_text
from nasd.graph import Graph, Node
from tui import text, theme
from tui.panes.trial_parts import Part


class Drawing(Part):
    """The nodes from input to output: a bar as wide as the image, as dense as there are features; branches as rails."""

    def __init__(self) -> None:
        super().__init__("architecture", id="trial-drawing")

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """One line a node."""
        return draw(detail.graph, width)


def draw(graph: Graph, width: int) -> list[Content]:
    """A graph in lines of at most `width` cells, as long as there are at least 50: less is cut off at the right."""
    lines = graph_text.lines(graph)
    if not lines:
        return [Content.styled("The nodes of this architecture are not known here.", "$dim")]
    rails = len(lines[0].rails)
    images = [node for node in graph.nodes if len(node.shape) == 3]
    side = max((node.shape[2] for node in images), default=1)
    most = max((node.shape[0] for node in images), default=1)
    left = width - rails - 57
    room = min(2 * side, max(8, left)) if left >= 8 else 0
    head = " " * rails + (f"{'image':^{room}} " if room else "")
    found = [Content.styled(f"{head}{'layer':<16}{'':<16}{'shape':>11}{'weights':>12}", "$dim")]
    for line in lines:
        if line.node is None:
            found.append(Content.assemble((line.rails, "$dim"), (text.clean(line.group), "bold $dim")))
            continue
        bar = (f"{_bar(line.node, side, most, room)} ", _kind(line.node)[1]) if room else ("", "")
        found.append(Content.assemble((line.rails, "$dim"), bar, *_columns(line)))
    classifying = sum(node.parameters for node in graph.nodes if node.kind in ("classifier", "fc"))
    total = f"{text.count(graph.parameters)} weights, {text.count(classifying)} of them in the classifier"
    found.append(Content.styled(total.rjust(min(width, len(head) + 55)), "$dim"))
    return found


def _kind(node: Node) -> tuple[str, str]:
    return theme.KINDS.get(node.kind, (text.clean(node.kind).replace("_", " "), "$foreground"))


def _columns(line: graph_text.Line) -> list[tuple[str, str]]:
    node = line.node
    assert node is not None
    name, colour = _kind(node)
    written = text.clean(node.text)
    if line.inputs:
        name, written = f"{line.number} {name}", f"of {', '.join(map(str, line.inputs))}"
    return [
        (f"{text.shorten(name, 15):<16}", colour),
        (f"{text.shorten(written, 15):<16}", ""),
        (f"{text.shorten(graph_text.shape(node), 11):>11}", ""),
        (f"{text.count(node.parameters) if node.parameters else '–':>12}", "" if node.parameters else "$dim"),
    ]


def _bar(node: Node, side: int, most: int, room: int) -> str:
    if len(node.shape) != 3:
        return f"{'█':^{room}}"
    features, _, own = node.shape
    wide = max(1, min(room, round(room * own / side)))
    level = math.log2(max(1, features)) / math.log2(max(2, most))
    shade = "░▒▓█"[min(3, max(0, int(4 * level - 1e-9)))]
    return f"{shade * wide:^{room}}"
