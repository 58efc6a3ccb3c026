"""What an architecture is made of, layer by layer, for pictures, people and memory estimates."""

from nasd.graph import Graph, Node
from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.grammar import layer_text
from nasd.spaces.layers.state import State


def build_graph(architecture: Architecture, channels: int, patch_size: int) -> Graph:
    """A chain: the image, the encoder's layers, the flattened embedding, the linear layers behind it.

    `parameters` counts weights of convolutions and linear layers; batch norm is not counted, and biases there are none.

    Args:
        architecture: Of any length.
        channels: Of the images.
        patch_size: Side of the images in pixels.
    """
    nodes = [Node(kind="input", text="", shape=(channels, patch_size, patch_size))]
    features = channels
    for state in architecture.encoder:
        nodes.append(_encoder_layer(architecture, state, features))
        features = state.filter_depth
    inputs = architecture.embedding_dim
    nodes.append(Node(kind="embedding", text="", shape=(inputs,)))
    for state in architecture.states[len(architecture.encoder) :]:
        kind, units = ("classifier", architecture.num_classes) if state.terminate else ("fc", state.fc_size)
        weights = inputs * units
        nodes.append(
            Node(kind=kind, text=_text(architecture, state), shape=(units,), parameters=weights, operations=weights)
        )
        inputs = units
    return Graph(nodes=tuple(nodes), edges=tuple((number, number + 1) for number in range(len(nodes) - 1)))


def conv_weights(architecture: Architecture, channels: int) -> int:
    """Weights of all convolutions for images of `channels` channels."""
    return _weights(architecture, channels, {"conv", "wrn"})


def classifier_weights(architecture: Architecture) -> int:
    """Weights of the linear layers behind the embedding."""
    return _weights(architecture, 1, {"fc", "classifier"})


def _weights(architecture: Architecture, channels: int, kinds: set[str]) -> int:
    nodes = build_graph(architecture, channels, patch_size=0).nodes  # no weight depends on the image's size
    return sum(node.parameters for node in nodes if node.kind in kinds)


def _encoder_layer(architecture: Architecture, state: State, inputs: int) -> Node:
    features, side = state.filter_depth, state.image_size
    weights = _layer_weights(state, inputs)
    return Node(
        kind=state.layer_type,
        text=_text(architecture, state),
        shape=(features, side) if state.layer_type == "spp" else (features, side, side),
        parameters=weights,
        operations=weights * side**2,
        kernel=state.filter_size if state.layer_type == "conv" else 0,
    )


def _text(architecture: Architecture, state: State) -> str:
    return layer_text(state, architecture.num_classes, architecture.notation)


def _layer_weights(state: State, inputs: int) -> int:
    features = state.filter_depth
    if state.layer_type == "conv":
        return inputs * features * state.filter_size**2
    if state.layer_type == "wrn":
        shortcut = inputs * features if inputs != features else 0  # a 1x1 convolution where the channels differ
        return 9 * inputs * features + 9 * features**2 + shortcut
    return 0
