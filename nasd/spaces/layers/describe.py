"""What an architecture is made of, layer by layer, for people and for memory estimates."""

from dataclasses import dataclass
from typing import Literal

from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.grammar import layer_text
from nasd.spaces.layers.state import State


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer. `parameters` counts weights of convolutions and linear layers; batch norm is not counted, and biases
    there are none.
    """

    kind: Literal["conv", "wrn", "max_pool", "spp", "fc", "classifier"]
    text: str  # as written, such as C(32,5,1,2,1)
    features: int  # channels of the output; of fc and classifier: units
    image_size: int  # side of the output image; of spp: bins; of fc and classifier: 0
    parameters: int


def describe(architecture: Architecture, channels: int) -> tuple[LayerInfo, ...]:
    """The layers in order, the final classifier included, for images of `channels` channels."""
    infos = []
    features = channels
    inputs = architecture.embedding_dim
    for state in architecture.encoder:
        infos.append(_encoder_layer(architecture, state, features))
        features = state.filter_depth
    for state in architecture.states[len(infos) :]:
        text = layer_text(state, architecture.num_classes, architecture.notation)
        units = architecture.num_classes if state.terminate else state.fc_size
        infos.append(LayerInfo("classifier" if state.terminate else "fc", text, units, 0, inputs * units))
        inputs = units
    return tuple(infos)


def conv_weights(architecture: Architecture, channels: int) -> int:
    """Weights of all convolutions for images of `channels` channels."""
    return sum(info.parameters for info in describe(architecture, channels) if info.kind in {"conv", "wrn"})


def classifier_weights(architecture: Architecture) -> int:
    """Weights of the linear layers behind the embedding."""
    return sum(info.parameters for info in describe(architecture, 1) if info.kind in {"fc", "classifier"})


def _encoder_layer(architecture: Architecture, state: State, inputs: int) -> LayerInfo:
    text = layer_text(state, architecture.num_classes, architecture.notation)
    match state.layer_type:
        case "conv" | "wrn" | "max_pool" | "spp":
            weights = _layer_weights(state, inputs)
            return LayerInfo(state.layer_type, text, state.filter_depth, state.image_size, weights)
        case _:
            raise ValueError(f"{state} is not a layer of an encoder")


def _layer_weights(state: State, inputs: int) -> int:
    features = state.filter_depth
    if state.layer_type == "conv":
        return inputs * features * state.filter_size**2
    if state.layer_type == "wrn":
        shortcut = inputs * features if inputs != features else 0  # a 1x1 convolution where the channels differ
        return 9 * inputs * features + 9 * features**2 + shortcut
    return 0
