"""A graph as lines of text: a node a line, branches as rails at the left, as `git log --graph` draws commits."""

from dataclasses import dataclass

from nasd.graph import Graph, Node

MOST_RAILS = 12
"""Side by side; of a graph that needs more, the inputs are named by their numbers instead."""


@dataclass(frozen=True)
class Line:
    """A node, or the name of a group above its first node (`node` is then None)."""

    rails: str  # equally wide in all lines; empty in a chain
    node: Node | None
    number: int = 0  # of the node, from 1
    inputs: tuple[int, ...] = ()  # their numbers, where rails do not show them
    group: str = ""


def lines(graph: Graph) -> list[Line]:
    """The nodes in their order, inputs above outputs.

    A node is `●`; a rail runs down from it to the last node that it is an input of: `├` and `┤` take from a rail that
    goes on, `╰` and `╯` from a rail that ends. A chain has no rails.
    """
    inputs: list[tuple[int, ...]] = [
        tuple(sorted(a for a, b in graph.edges if b == i)) for i in range(len(graph.nodes))
    ]
    chain = all(found == ((i - 1,) if i else ()) for i, found in enumerate(inputs))
    rails = _Rails(graph, inputs) if not chain else None
    few = rails is not None and rails.width <= MOST_RAILS
    found: list[Line] = []
    group = ""
    for i, node in enumerate(graph.nodes):
        if node.group != group and node.group:
            found.append(Line(rails.between(i) if rails and few else "", None, group=node.group))
        group = node.group
        named = tuple(number + 1 for number in inputs[i]) if rails and not few else ()
        found.append(Line(rails.at(i) if rails and few else "", node, number=i + 1, inputs=named))
    return found


def shape(node: Node) -> str:
    """The shape of a node's output: `28×28×32`, `14 bins×4` of pyramid pooling, or its units."""
    if len(node.shape) == 3:
        channels, height, width = node.shape
        return f"{height}×{width}×{channels}"
    if len(node.shape) == 2:
        channels, bins = node.shape
        return f"{bins} bins×{channels}"
    return "×".join(map(str, node.shape))


class _Rails:
    """Which column each node's output runs down in, and from where to where."""

    def __init__(self, graph: Graph, inputs: list[tuple[int, ...]]) -> None:
        self._inputs = inputs
        count = len(graph.nodes)
        self._last = [max((b for a, b in graph.edges if a == i), default=i) for i in range(count)]
        self._column: list[int] = []
        for i in range(count):
            taken = {self._column[a] for a in range(i) if self._last[a] > i}
            free = [self._column[a] for a in inputs[i] if self._column[a] not in taken]  # go on in an input's column
            self._column.append(min(free or [c for c in range(count + 1) if c not in taken]))
        self.width = 1 + max(self._column, default=0)

    def at(self, i: int) -> str:
        """The line of node `i`."""
        here = self._column[i]
        cells = self._running(i)
        gaps = [" "] * self.width
        for a in self._inputs[i]:
            column, ends = self._column[a], self._last[a] == i
            if column == here:
                continue
            left, right = sorted((column, here))
            for between in range(left + 1, right):
                if cells[between] in " ─":
                    cells[between] = "─"
                elif cells[between] == "│":
                    cells[between] = "┼"
            for gap in range(left, right):
                gaps[gap] = "─"
            cells[column] = ("╰" if ends else "├") if column < here else ("╯" if ends else "┤")
        cells[here] = "●"
        return self._joined(cells, gaps)

    def between(self, i: int) -> str:
        """The line above node `i`, where nothing begins or ends."""
        running = {self._column[a] for a in range(i) if self._last[a] >= i}
        return self._joined(["│" if c in running else " " for c in range(self.width)], [" "] * self.width)

    def _running(self, i: int) -> list[str]:
        running = {self._column[a] for a in range(i) if self._last[a] > i}
        return ["│" if c in running else " " for c in range(self.width)]

    def _joined(self, cells: list[str], gaps: list[str]) -> str:
        return "".join(cell + gap for cell, gap in zip(cells, gaps, strict=True)).ljust(2 * self.width)
