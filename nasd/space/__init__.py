"""Architectures: states, actions, the string grammar, feasibility. Pure; no torch, no I/O."""

from nasd.space.architecture import Architecture
from nasd.space.describe import LayerInfo, classifier_weights, conv_weights, describe
from nasd.space.grammar import GrammarError
from nasd.space.search_space import Infeasible, SearchSpace
from nasd.space.state import LayerType, State

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
