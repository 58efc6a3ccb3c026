"""A cell's network as a graph: for pictures, counts of weights and multiply-adds, and limits."""

from nasd.graph import Graph, Node
from nasd.spaces.cells.cell import FIRST_BLOCK, Cell, source_text
from nasd.spaces.cells.skeleton import Place, Shape, Skeleton


def graph(cell: Cell) -> Graph:
    """Every operation from the image to the classifier; the nodes of a cell are a group."""
    return _Drawing(cell).draw(cell.skeleton)


class _Drawing:
    def __init__(self, cell: Cell) -> None:
        self._cell, self._config = cell, cell.config
        self._nodes: list[Node] = []
        self._edges: list[tuple[int, int]] = []

    def draw(self, network: Skeleton) -> Graph:
        config = self._config
        image = Shape(config.channels, config.patch_size)
        at = self._node("input", "input", image)
        if (stem := network.stem) is not None:
            weights = stem.parameters
            work = weights * network.stem_shape.size**2
            at = self._node("conv", "conv3x3", network.stem_shape, (at,), weights, work, "stem")
        outputs = [at]
        for number, place in enumerate(network.places, start=1):
            group = f"cell {number}" + (" (reduction)" if place.stride > 1 else "")
            outputs.append(self._place(place, group, [outputs[index] for index in place.inputs]))
        features, classes = network.shape.channels, config.num_classes
        pooled = self._add(Node(kind="global_avg_pool", text="avg", shape=(features,)), (outputs[-1],))
        weights = features * classes
        self._add(
            Node(kind="classifier", text=f"SM({classes})", shape=(classes,), parameters=weights, operations=weights),
            (pooled,),
        )
        return Graph(nodes=tuple(self._nodes), edges=tuple(self._edges))

    def _place(self, place: Place, group: str, inputs: list[int]) -> int:
        """Draw one cell; the node of its output."""
        sources: dict[int, tuple[int, int]] = {}  # node and size of what terms read
        for back, alignment in enumerate(place.alignments):
            if alignment is not None:
                kind = "conv" if alignment.stride == 1 else "factorised_reduction"
                text = f"{source_text(back)} conv1x1" + (f"/{alignment.stride}" if alignment.stride > 1 else "")
                costs = alignment.parameters, alignment.multiply_adds
                node = self._node(kind, text, alignment.shape, (inputs[back],), *costs, group)
                sources[back] = node, place.size
        blocks = []
        for number, (block, operations) in enumerate(zip(self._cell.blocks, place.operations, strict=True), start=1):
            pair = []
            for term, operation in zip(block, operations, strict=True):
                at, size = sources[term.source]
                shape = Shape(place.filters, place.shape.size)
                costs = operation.parameters, operation.multiply_adds(size)
                pair.append(self._node(operation.kind, term.name, shape, (at,), *costs, group))
            width = place.shape.channels // len(self._cell.blocks)
            joined = self._node(
                self._config.combine, f"b{number}", Shape(width, place.shape.size), tuple(pair), group=group
            )
            sources[FIRST_BLOCK + number - 1] = joined, place.shape.size
            blocks.append(joined)
        return self._node("concat", "cell", place.shape, tuple(blocks), group=group)

    def _node(
        self,
        kind: str,
        text: str,
        shape: Shape,
        inputs: tuple[int, ...] = (),
        parameters: int = 0,
        operations: int = 0,
        group: str = "",
    ) -> int:
        dimensions = (shape.channels, shape.size, shape.size)
        node = Node(kind=kind, text=text, shape=dimensions, parameters=parameters, operations=operations, group=group)
        return self._add(node, inputs)

    def _add(self, node: Node, inputs: tuple[int, ...]) -> int:
        self._nodes.append(node)
        number = len(self._nodes) - 1
        self._edges += [(before, number) for before in inputs]
        return number
