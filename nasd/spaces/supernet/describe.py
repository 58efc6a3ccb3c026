"""An architecture as a graph, for pictures and the UI."""

from nasd.config import SupernetConfig
from nasd.graph import Graph, Node
from nasd.spaces.supernet.cost import multiply_adds
from nasd.spaces.supernet.layers import Skeleton, Transition, Unit

_TEXTS = {
    "1": "1 bit", "32": "32 bits", "d3": "binary 3x3", "d1": "binary 1x1", "i": "binary 3x3", "-": "skipped",
}  # fmt: skip


def graph(config: SupernetConfig, skeleton: Skeleton, choices: tuple[str, ...]) -> Graph:
    """A chain: each unit is one node with its shortcut inside, and a unit that is skipped is a node without weights."""
    stem, head, left = skeleton.stem, skeleton.head, iter(choices)
    side = config.patch_size
    nodes = [
        Node(kind="input", text="input", shape=(config.channels, side, side)),
        Node(
            kind="conv",
            text=f"stem {stem.label}",
            shape=(stem.convs[-1].outputs, stem.size, stem.size),
            parameters=sum(conv.weights for conv in stem.convs),
            operations=multiply_adds(stem.convs, stem.size * (2 if stem.pool else 1)),
        ),
    ]
    for step in skeleton.steps:
        nodes.append(_unit(step, next(left)) if isinstance(step, Unit) else _transition(step))
    text = ("bn, " if head.norm else "") + "relu, global average pooling, dense"
    nodes.append(
        Node(
            kind="classifier", text=text, shape=(head.classes,), parameters=head.parameters,
            operations=head.features * head.classes,
        )
    )  # fmt: skip
    return Graph(nodes=tuple(nodes), edges=tuple((index, index + 1) for index in range(len(nodes) - 1)))


def _unit(unit: Unit, choice: str) -> Node:
    convs = unit.paths[choice].convs
    kind = "identity" if not convs else ("binary_conv" if convs[0].binary else "conv")
    return Node(
        kind=kind,
        text=f"{unit.label}: {_TEXTS[choice]}",
        shape=(unit.outputs, unit.size, unit.size),
        parameters=sum(conv.weights for conv in convs),
        operations=multiply_adds(convs, unit.size),
        group=unit.label.split(".")[0].replace("improvement", "dense"),
    )


def _transition(step: Transition) -> Node:
    return Node(
        kind="conv",
        text=f"{step.label}: bn, maxpool2, relu, conv1x1",
        shape=(step.conv.outputs, step.size, step.size),
        parameters=step.conv.weights,
        operations=multiply_adds((step.conv,), step.size),
    )
