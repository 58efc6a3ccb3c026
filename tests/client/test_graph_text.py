"""Graphs as lines of text."""

import random

from nasd.client.graph_text import MOST_RAILS, lines, shape
from nasd.graph import Graph, Node


def graph(count: int, *edges: tuple[int, int], groups: dict[int, str] | None = None) -> Graph:
    nodes = tuple(
        Node(kind="add", text=str(number), shape=(4, 8, 8), group=(groups or {}).get(number, ""))
        for number in range(count)
    )
    return Graph(nodes=nodes, edges=edges)


def drawn(made: Graph) -> list[str]:
    return [f"{line.rails}{line.group or line.number}" for line in lines(made)]


def test_a_chain_has_no_rails() -> None:
    assert drawn(graph(3, (0, 1), (1, 2))) == ["1", "2", "3"]
    assert lines(graph(0)) == []


def test_branches_are_rails() -> None:
    made = graph(5, (0, 1), (0, 2), (1, 3), (2, 3), (3, 4), groups={1: "cell", 2: "cell", 3: "cell"})
    assert drawn(made) == [
        "●   1",
        "│   cell",
        "├─● 2",
        "● │ 3",
        "●─╯ 4",
        "●   5",
    ]


def test_a_skip_passes_beside_what_it_skips() -> None:
    made = graph(4, (0, 1), (1, 2), (0, 3), (2, 3))
    assert drawn(made) == ["●   1", "├─● 2", "│ ● 3", "●─╯ 4"]


def test_any_graph_is_drawn_within_its_width_and_names_every_input() -> None:
    rng = random.Random(1)
    for _ in range(300):
        count = rng.randrange(1, 14)
        pairs = [(a, b) for b in range(count) for a in range(b)]
        made = graph(count, *rng.sample(pairs, rng.randrange(len(pairs) + 1)))
        found = lines(made)
        assert [line.number for line in found] == list(range(1, count + 1))
        assert len({len(line.rails) for line in found}) == 1
        assert len(found[0].rails) <= 2 * MOST_RAILS
        if found[0].rails:
            for index, line in enumerate(found):
                others = sum(a != index for a, b in made.edges if b == index)
                joints = sum(line.rails.count(joint) for joint in "├┤╰╯")
                assert line.rails.count("●") == 1
                assert others - 1 <= joints <= others, "one input at most is straight above"


def test_of_very_wide_graphs_inputs_are_named() -> None:
    count = 2 * MOST_RAILS
    made = graph(count + 1, *((number, count) for number in range(count)))
    assert lines(made)[0].rails == ""
    assert lines(made)[count].inputs == tuple(range(1, count + 1))


def test_shapes() -> None:
    assert [shape(Node(kind="x", text="", shape=one)) for one in ((32, 28, 14), (10,), (32, 55))] == [
        "28×14×32",
        "10",
        "55 bins×32",
    ]
