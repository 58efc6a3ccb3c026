"""An architecture, drawn: a block a node, as high as its image and as wide as its features."""

import math
import textwrap
from collections.abc import Iterator
from itertools import accumulate

from nasd.graph import Graph, Node
from nasd.pictures import nodes
from nasd.pictures.drawing import Box, Curve, Drawing, Label
from nasd.pictures.layout import Place, arrange
from nasd.pictures.style import BAND, FAINT, GREY, INK

_TALLEST, _TALLEST_IN_LANES, _LOWEST = 150.0, 60.0, 14.0
_WIDEST, _THINNEST = 84.0, 8.0
_STEP = 132.0  # from block to block
_ABOVE, _BELOW = 30.0, 92.0  # of a block: for edges, for its lines of text
_LINE = 16.0


def draw_architecture(graph: Graph, net: str, title: str = "") -> Drawing:
    """All nodes from left to right, in as many rows as they need.

    Args:
        graph: Of any space.
        net: How the architecture is written; it stands below the headline.
        title: The headline.
    """
    return _Picture(graph, net, title).draw()


class _Picture:
    def __init__(self, graph: Graph, net: str, title: str) -> None:
        self._graph, self._net, self._title = graph, net, title
        self._places = arrange(graph)
        lanes: dict[int, float] = {}  # by row
        for place in self._places:
            lanes[place.row] = max(lanes.get(place.row, 1), 2 * abs(place.lane) + 1)
        self._tallest = _TALLEST if set(lanes.values()) == {1} else _TALLEST_IN_LANES
        self._lane = _ABOVE + self._tallest + _BELOW
        heights = [lanes[row] * self._lane for row in sorted(lanes)]
        self._width = 40 + _STEP * (max(place.column for place in self._places) + 1)
        images = [node.shape for node in graph.nodes if len(node.shape) > 1]
        self._largest = max((shape[1] for shape in images), default=1)
        self._most = max(2, *(shape[0] for shape in images))
        self._written = [*textwrap.wrap(net, int(self._width / 6.8)), nodes.summary(graph)]
        self._tops = list(accumulate(heights, initial=34 + _LINE * len(self._written)))
        self._boxes = [self._box(node, place) for node, place in zip(graph.nodes, self._places, strict=True)]

    def draw(self) -> Drawing:
        height = self._tops[-1]
        shapes = (
            Box(0.5, 0.5, self._width - 1, height - 1, "white", FAINT, 10),
            Label(20, 28, self._title or "Architecture", 16, INK, "start", bold=True),
            *(Label(20, 48 + _LINE * n, line, 11.5, GREY, "start") for n, line in enumerate(self._written)),
            *self._groups(),
            *self._edges(),
            *self._blocks(),
        )
        return Drawing(self._width, height, shapes, self._net)

    def _middle(self, place: Place) -> tuple[float, float]:
        y = (self._tops[place.row] + self._tops[place.row + 1]) / 2 + self._lane * place.lane
        return 20 + _STEP * (place.column + 0.5), y - self._lane / 2 + _ABOVE + self._tallest / 2

    def _box(self, node: Node, place: Place) -> Box:
        x, y = self._middle(place)
        fill, border = nodes.colours(node)
        if len(node.shape) > 1:
            # The root, so that small images can still be told apart; features double from step to step, so their log.
            height = max(_LOWEST, self._tallest * math.sqrt(min(node.shape[1] / self._largest, 1)))
            width = _THINNEST + (_WIDEST - _THINNEST) * math.log2(max(node.shape[0], 1)) / math.log2(self._most)
        else:
            height, width = self._tallest if node.kind == "embedding" else self._tallest / 2, 16.0
        return Box(x - width / 2, y - height / 2, width, height, fill, border, 4)

    def _groups(self) -> Iterator[Box | Label]:
        """A frame round the nodes of a group, one for each row that it reaches into."""
        corners: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for node, place in zip(self._graph.nodes, self._places, strict=True):
            if node.group:
                corners.setdefault((node.group, place.row), []).append(self._middle(place))
        for (group, _), middles in corners.items():
            left, right = min(x for x, _ in middles) - _STEP / 2 + 3, max(x for x, _ in middles) + _STEP / 2 - 3
            top = min(y for _, y in middles) - self._tallest / 2 - _ABOVE + 4
            bottom = max(y for _, y in middles) + self._tallest / 2 + _BELOW - 4
            yield Box(left, top, right - left, bottom - top, BAND, FAINT, 10)
            yield Label(left + 8, top + 14, group, 11, GREY, "start", bold=True)

    def _edges(self) -> Iterator[Curve | Label]:
        for start, end in self._graph.edges:
            before, after = self._places[start], self._places[end]
            if before.row == after.row:
                yield self._edge(start, end)
        for end, box in enumerate(self._boxes):
            yield from self._from_other_rows(end, box)

    def _edge(self, start: int, end: int) -> Curve:
        """From block to block, over what stands between where something does."""
        source, target = self._boxes[start], self._boxes[end]
        a, b = source.x + source.width + 5, target.x - 5
        y, goal = source.y + source.height / 2, target.y + target.height / 2
        third = (b - a) / 3
        leave, arrive = y, goal
        if self._places[end].column - self._places[start].column > 1:
            leave = arrive = min(y, goal) - 0.75 * self._tallest - 14
        return Curve(((a, y), (a + third, leave), (b - third, arrive), (b, goal)), GREY, arrow=True)

    def _from_other_rows(self, end: int, box: Box) -> Iterator[Curve | Label]:
        """A short arrow instead of a line through the rows, and whence it comes if not from the node before."""
        sources = [s for s, e in self._graph.edges if e == end and self._places[s].row != self._places[end].row]
        if sources:
            tip, y = box.x - 5, box.y + box.height / 2
            yield Curve(((tip - 24, y), (tip - 16, y), (tip - 8, y), (tip, y)), GREY, arrow=True)
            if sources != [end - 1] or self._graph.nodes[end].group:
                called = (self._graph.nodes[source] for source in sources)
                words = " and ".join(dict.fromkeys(node.group or node.text or nodes.name(node) for node in called))
                yield Label(box.x + box.width / 2, box.y - 5, f"from {words}", 9.5, GREY)

    def _blocks(self) -> Iterator[Box | Label]:
        for node, box, place in zip(self._graph.nodes, self._boxes, self._places, strict=True):
            x, y = self._middle(place)
            if node.kind == "wrn":  # the way around it
                high = box.y - 14
                yield Box(box.x - 11, high, box.width + 22, y - high, "none", nodes.colours(node)[1], 10)
            yield box
            for line, words in enumerate(nodes.lines(node)):
                first = line == 0
                below = y + self._tallest / 2 + 22 + _LINE * line
                yield Label(x, below, words, 12, INK if first else GREY, bold=first)
