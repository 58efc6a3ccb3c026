"""Pictures of architectures: chains and branching graphs, drawn by ourselves, by graphviz, by TensorBoard."""

from collections import Counter
from xml.etree import ElementTree

import pytest

from nasd.config import LayersConfig
from nasd.graph import Graph, Node
from nasd.pictures.architecture import draw_architecture
from nasd.pictures.drawing import Box, Curve, Label
from nasd.pictures.graphviz import dot
from nasd.pictures.layout import PER_ROW, arrange
from nasd.pictures.tensorboard_graph import graph_def
from nasd.spaces.layers import SearchSpace

SPACE = SearchSpace(LayersConfig(patch_size=8))
NET = "[C(32,3,1,1,0), P(2,2,0,0), C(64,5,2,2,1), SM(10)]"


def chain(layers: int) -> tuple[Graph, str]:
    net = f"[{', '.join(['C(16,3,1,1,1)'] * layers)}, SM(10)]"
    return SPACE.graph(SPACE.parse(net)), net


def cells(count: int) -> Graph:
    """Cells of two operations, their sum, and a concatenation; each reads the two before it, or the stem."""
    nodes = [
        Node(kind="input", text="", shape=(3, 32, 32)),
        Node(kind="conv", text="stem", shape=(16, 32, 32), parameters=432),
    ]
    edges, before = [(0, 1)], (1, 1)
    for cell in range(1, count + 1):
        first, shape, group = len(nodes), (16, 32, 32), f"cell {cell}"
        nodes += [
            Node(kind="separable_conv", text="sep 3x3", shape=shape, parameters=400, operations=400_000, group=group),
            Node(kind="max_pool", text="max 3x3", shape=shape, group=group),
            Node(kind="add", text="", shape=shape, group=group),
            Node(kind="concat", text="", shape=(32, 32, 32), group=group),
        ]
        edges += [(before[0], first), (before[1], first + 1), (first, first + 2), (first + 1, first + 2)]
        edges += [(first + 2, first + 3), (before[0], first + 3)]
        before = (before[1], first + 3)
    nodes.append(Node(kind="classifier", text="SM(10)", shape=(10,), parameters=320, operations=320))
    edges.append((before[1], len(nodes) - 1))
    return Graph(nodes=tuple(nodes), edges=tuple(edges))


def texts(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Label)]


def test_a_layer_is_a_block_with_its_name_shape_and_weights():
    drawing = draw_architecture(SPACE.graph(SPACE.parse(NET)), NET, "The best")
    words = texts(drawing)
    assert {NET, "The best", "C(64,5,2,2,1)", "→ 64 × 2×2", "10 classes", "256 values", "8×8, 1 channel"} <= set(words)
    for name in ("image", "residual block", "max pooling", "convolution", "embedding", "linear classifier"):
        assert name in words
    graph = SPACE.graph(SPACE.parse(NET))
    assert f"{graph.parameters:,} weights, {graph.operations:,} multiply-adds for one image" in words
    assert ElementTree.fromstring(drawing.svg()).tag.endswith("svg")


def test_long_architectures_take_several_rows():
    drawing = draw_architecture(*chain(20))
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box)][1:]
    assert len(boxes) == 23
    assert len({round(box.y + box.height / 2) for box in boxes}) == 3
    assert all(box.x > 0 and box.x + box.width < drawing.width for box in boxes)
    assert all(box.y > 0 and box.y + box.height < drawing.height for box in boxes)


def test_branches_stand_beside_each_other_and_nothing_overlaps():
    graph = cells(4)
    drawing = draw_architecture(graph, "cells")
    places = arrange(graph)
    assert len(set(places)) == len(graph.nodes)
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box)]
    blocks = [box for box in boxes if box.width < 100]
    assert len(blocks) == len(graph.nodes)
    for number, one in enumerate(blocks):
        for other in blocks[number + 1 :]:
            assert (
                one.x + one.width < other.x
                or other.x + other.width < one.x
                or one.y + one.height < other.y
                or other.y + other.height < one.y
            )
        assert one.x > 0
        assert one.x + one.width < drawing.width
        assert one.y > 0
        assert one.y + one.height < drawing.height


@pytest.mark.parametrize("graph", [cells(1), cells(7), chain(3)[0], chain(30)[0]], ids=["1", "7", "3", "30"])
def test_a_node_stands_behind_what_it_is_computed_from_and_a_cell_in_one_row(graph):
    places = arrange(graph)
    for start, end in graph.edges:
        assert (places[start].row, places[start].column) < (places[end].row, places[end].column)
    for group in {node.group for node in graph.nodes if node.group}:
        own = [place for place, node in zip(places, graph.nodes, strict=True) if node.group == group]
        assert len({place.row for place in own}) == 1
        columns = {(place.row, place.column) for place in own}
        others = [place for place, node in zip(places, graph.nodes, strict=True) if node.group != group]
        assert not columns & {(place.row, place.column) for place in others}
    assert max(place.column for place in places) < PER_ROW


def test_every_edge_within_a_row_is_a_line_and_the_others_are_named():
    graph = cells(4)
    drawing = draw_architecture(graph, "cells")
    places = arrange(graph)
    within = [(start, end) for start, end in graph.edges if places[start].row == places[end].row]
    reached = {end for start, end in graph.edges if places[start].row != places[end].row}
    curves = [shape for shape in drawing.shapes if isinstance(shape, Curve)]
    assert reached
    assert len(curves) == len(within) + len(reached)
    assert any(text.startswith("from cell") for text in texts(drawing))
    assert Counter(text for text in texts(drawing) if text.startswith("cell "))["cell 2"] == 1


def test_graphviz_text_of_a_chain():
    text = dot(SPACE.graph(SPACE.parse(NET)), NET, "<&>")
    assert text.startswith("digraph")
    assert text.count("->") == 6  # five edges, and the way around the residual block
    assert "&lt;&amp;&gt;" in text


def test_graphviz_text_of_cells():
    graph = cells(3)
    text = dot(graph, "cells")
    assert text.count("->") == len(graph.edges)
    assert text.count("subgraph cluster") == 3
    assert text.count("{") == text.count("}")
    assert "constraint" not in text


def test_tensorboard_is_told_of_every_node_and_edge():
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = cells(2)
    read = GraphDef.FromString(graph_def(graph))
    assert [node.op for node in read.node] == [node.kind for node in graph.nodes]
    numbers = {node.name: number for number, node in enumerate(read.node)}
    assert {(numbers[start], end) for end, node in enumerate(read.node) for start in node.input} == set(graph.edges)
    assert read.node[2].name.startswith("cell_1/")
    assert read.node[2].attr["weights"].i == 400
