"""Where the nodes of a graph stand: columns by the longest way from the input, lanes where a column has several."""

from dataclasses import dataclass

from nasd.graph import Graph

PER_ROW = 8
"""Columns in a row at most; a row has as many as keep the rows equally long."""


@dataclass(frozen=True)
class Place:
    """Where a node stands."""

    row: int
    column: int  # within the row
    lane: float  # lanes above (negative) or below the middle of its row


def arrange(graph: Graph) -> tuple[Place, ...]:
    """A place for each node. A group's columns are its own, and stay in one row."""
    ranks = _ranks(graph)
    rows = _rows(ranks, graph)
    lanes: dict[int, float] = {}
    for rank in range(max(ranks) + 1):
        members = sorted(
            (node for node, of in enumerate(ranks) if of == rank), key=lambda node: (_wish(graph, node, lanes), node)
        )
        for place, node in enumerate(members):
            lanes[node] = place - (len(members) - 1) / 2
    return tuple(Place(*rows[rank], lanes[node]) for node, rank in enumerate(ranks))


def is_chain(graph: Graph) -> bool:
    """Whether every node but the last leads to the next, and to no other."""
    return graph.edges == tuple((node, node + 1) for node in range(len(graph.nodes) - 1))


def _ranks(graph: Graph) -> list[int]:
    """The column of each node if all were in one row. Nodes come in an order in which they can be computed."""
    before = _before(graph)
    outside: dict[str, set[int]] = {}  # what a group is computed from
    for node, sources in enumerate(before):
        group = graph.nodes[node].group
        outside.setdefault(group, set()).update(s for s in sources if graph.nodes[s].group != group)
    ranks: list[int] = []
    for node, sources in enumerate(before):
        group = graph.nodes[node].group
        needed = sources | {source for source in outside[group] if group and source < node}
        ranks.append(max((ranks[source] + 1 for source in needed), default=0))
    return ranks


def _rows(ranks: list[int], graph: Graph) -> list[tuple[int, int]]:
    """The row of each column, and its place there."""
    columns = max(ranks) + 1
    per_row = -(-columns // -(-columns // PER_ROW))
    inside = set[int]()  # columns before which no row may end: those of a group but its first
    for group in {node.group for node in graph.nodes if node.group}:
        own = [rank for rank, node in zip(ranks, graph.nodes, strict=True) if node.group == group]
        inside.update(range(min(own) + 1, max(own) + 1))
    ends = [column for column in range(1, columns + 1) if column not in inside]
    rows, start, row = list[tuple[int, int]](), 0, 0
    for column, end in zip([0, *ends], ends, strict=False):
        if column > start and end - start > per_row:
            start, row = column, row + 1
        rows += [(row, place - start) for place in range(column, end)]
    return rows


def _before(graph: Graph) -> list[set[int]]:
    sources: list[set[int]] = [set() for _ in graph.nodes]
    for start, end in graph.edges:
        sources[end].add(start)
    return sources


def _wish(graph: Graph, node: int, lanes: dict[int, float]) -> float:
    """The mean lane of what it is computed from, so that few edges cross."""
    before = [lanes[start] for start, end in graph.edges if end == node]
    return sum(before) / len(before) if before else 0.0
