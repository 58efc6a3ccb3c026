"""Architectures: states, actions, the string grammar, feasibility. Pure; no torch, no I/O."""

from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.graph import build_graph, classifier_weights, conv_weights
from nasd.spaces.layers.search_space import SearchSpace
from nasd.spaces.layers.state import LayerType, State

__all__ = [
    "Architecture",
    "LayerType",
    "SearchSpace",
    "State",
    "build_graph",
    "classifier_weights",
    "conv_weights",
]
