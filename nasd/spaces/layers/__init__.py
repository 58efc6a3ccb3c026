"""Architectures: states, actions, the string grammar, feasibility. Pure; no torch, no I/O."""

from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.describe import LayerInfo, classifier_weights, conv_weights, describe
from nasd.spaces.layers.grammar import GrammarError
from nasd.spaces.layers.search_space import Infeasible, SearchSpace
from nasd.spaces.layers.state import LayerType, State

__all__ = [
    "Architecture",
    "GrammarError",
    "Infeasible",
    "LayerInfo",
    "LayerType",
    "SearchSpace",
    "State",
    "classifier_weights",
    "conv_weights",
    "describe",
]
