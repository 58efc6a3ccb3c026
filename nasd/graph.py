"""What an architecture looks like, whatever space it comes from: spaces make a graph, pictures and the UI draw it."""

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a network. Images come from a node of kind `input`."""

    kind: str  # such as input, conv, wrn, max_pool, separable_conv, add, concat, classifier
    text: str  # as the space writes it, such as C(32,5,1,2,1)
    shape: tuple[int, ...]  # of its output for one image: (channels, height, width), (channels, bins) or (units,)
    parameters: int = 0  # weights; batch norm is not counted
    operations: int = 0  # multiply-adds for one image
    kernel: int = 0  # side of the window of a convolution; 0: it has none, or several
    group: str = ""  # what it belongs to, such as a cell; nodes of one group are drawn together

    @property
    def gflops(self) -> float:
        """10^9 operations for one image, forward only: a multiply-add is two."""
        return 2 * self.operations / 1e9


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in an order in which they can be computed, and edges (from, to) as indices into them."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def parameters(self) -> int:
        """Weights of all nodes."""
        return sum(node.parameters for node in self.nodes)

    @property
    def operations(self) -> int:
        """Multiply-adds for one image."""
        return sum(node.operations for node in self.nodes)

    @property
    def gflops(self) -> float:
        """Of all nodes."""
        return sum(node.gflops for node in self.nodes)
