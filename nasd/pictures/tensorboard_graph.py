"""An architecture for TensorBoard's page of graphs."""

from nasd.graph import Graph


def graph_def(graph: Graph) -> bytes:
    """A serialised GraphDef: nodes with their operation, output shape and weights; those of a group are folded into it.

    Raises:
        ImportError: TensorBoard is not installed.
    """
    from tensorboard.compat.proto.attr_value_pb2 import AttrValue  # noqa: PLC0415 - an extra
    from tensorboard.compat.proto.graph_pb2 import GraphDef  # noqa: PLC0415
    from tensorboard.compat.proto.node_def_pb2 import NodeDef  # noqa: PLC0415
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # noqa: PLC0415
    from tensorboard.compat.proto.versions_pb2 import VersionDef  # noqa: PLC0415

    names = [
        (f"{node.group.replace(' ', '_')}/" if node.group else "") + f"{node.kind}_{number}"
        for number, node in enumerate(graph.nodes)
    ]
    nodes = []
    for number, node in enumerate(graph.nodes):
        sides = [TensorShapeProto.Dim(size=size) for size in (-1, *node.shape)]  # of any number of images
        shapes = AttrValue.ListValue(shape=[TensorShapeProto(dim=sides)])
        attributes = {
            "_output_shapes": AttrValue(list=shapes),
            "weights": AttrValue(i=node.parameters),
            "multiply_adds": AttrValue(i=node.operations),
            "written": AttrValue(s=node.text.encode()),
        }
        inputs = [names[start] for start, end in graph.edges if end == number]
        nodes.append(NodeDef(name=names[number], op=node.kind, input=inputs, attr=attributes))
    content: bytes = GraphDef(node=nodes, versions=VersionDef(producer=22)).SerializeToString()
    return content
