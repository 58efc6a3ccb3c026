"""The search space: what a strategy, the evaluator and the daemon ask about architectures."""

import numpy as np

from nasd.config import LayersConfig
from nasd.errors import ConfigError
from nasd.graph import Graph
from nasd.spaces.base import Infeasible
from nasd.spaces.layers.architecture import Architecture
from nasd.spaces.layers.decisions import decisions
from nasd.spaces.layers.grammar import Notation, layer_text
from nasd.spaces.layers.graph import build_graph
from nasd.spaces.layers.mutation import mutate_path
from nasd.spaces.layers.parse import parse
from nasd.spaces.layers.state import State, start_state
from nasd.spaces.layers.transitions import transitions

MUTATIONS = 1000
"""Draws of one mutation until the layers behind the change fit; some two are needed as a rule."""


class SearchSpace:
    """The architectures that `config` allows.

    Raises:
        ConfigError: No layer at all fits the image.
    """

    def __init__(self, config: LayersConfig) -> None:
        self.config = config
        self._transitions = transitions(config)
        self._notation: Notation = "valid" if config.form == "codebrim" else "padded"
        self._start = start_state(config.patch_size)
        if not self.actions(self._start):
            raise ConfigError(
                f"space: no convolution fits the image of {config.patch_size} pixels a side; "
                f"conv_sizes are {list(config.conv_sizes)}: name a smaller one, or scale the images up"
                + (f" (spp_levels are {list(config.spp_levels)})" if config.form == "codebrim" else "")
            )

    def start(self) -> State:
        """The state before the first layer."""
        return self._start

    def actions(self, state: State) -> tuple[State, ...]:
        """The states that may follow `state`, ordered, without duplicates; none after a terminal one."""
        return self._transitions.successors(state)

    def architecture(self, states: tuple[State, ...]) -> Architecture:
        """The architecture of a path of states that ends with a terminal one, start state left out."""
        return Architecture(states, self.config.num_classes, self._notation)

    def parse(self, text: str) -> Architecture:
        """Read a string in either notation, for this space's image size and number of classes.

        Architectures that the search cannot reach are read as well, as long as they can be built, so that any can be
        retrained; `contains` tells them apart.

        Raises:
            GrammarError: With the position and what was expected.
        """
        return parse(text, self.config.patch_size, self.config.num_classes)

    def contains(self, architecture: Architecture) -> bool:
        """Whether the search could propose it."""
        state = self._start
        for action in architecture.states:
            if action not in self.actions(state):
                return False
            state = action
        return bool(state.terminate)

    def feasible(self, architecture: Architecture) -> Infeasible | None:
        """Why it should not be evaluated, or None if it should."""
        side, limit = architecture.image_size, self.config.max_image_size
        if architecture.encoder[-1].layer_type != "spp" and side > limit:
            return Infeasible(f"The embedding's image is {side} pixels a side, above max_image_size {limit}.")
        values, limit = architecture.embedding_dim, self.config.max_num_fc_input
        if values > limit:
            return Infeasible(f"The flattened embedding has {values} values, above max_num_fc_input {limit}.")
        return self._too_large(architecture)

    def _too_large(self, architecture: Architecture) -> Infeasible | None:
        """Whether the network is above the limits on its weights and operations."""
        weights, gflops = self.config.max_parameters, self.config.max_gflops
        if weights is None and gflops is None:
            return None
        network = self.graph(architecture)
        if weights is not None and network.parameters > weights:
            return Infeasible(f"It has {network.parameters:,} weights, above max_parameters {weights:,}.")
        if gflops is not None and network.gflops > gflops:
            return Infeasible(f"An image takes {network.gflops:,.3g} GFLOP, above max_gflops {gflops:g}.")
        return None

    def text(self, state: State) -> str:
        """How a state is written, such as `C(32,5,1,2,1)`; the end is `SM(10)`, the start the empty string."""
        return layer_text(state, self.config.num_classes, self._notation)

    def graph(self, architecture: Architecture) -> Graph:
        """Its layers as a chain from the image to the classifier."""
        return build_graph(architecture, self.config.channels, self.config.patch_size)

    def decisions(self, architecture: Architecture) -> dict[str, str | float]:
        """As `Space.decisions`."""
        return decisions(architecture)

    def sample(self, random: np.random.Generator) -> Architecture:
        """Walk from the start to an end, each action drawn uniformly from those that may follow."""
        states, state = [], self._start
        while not state.terminate:
            choices = self.actions(state)
            state = choices[int(random.integers(len(choices)))]
            states.append(state)
        return self.architecture(tuple(states))

    def mutate(self, architecture: Architecture, random: np.random.Generator) -> Architecture:
        """Change, insert or delete one layer; the later layers stay, with the depths and sizes that now follow.

        A draw after which they do not fit is repeated. Where `MUTATIONS` draws find no neighbour (a space in which an
        architecture has hardly any), a fresh sample comes instead.
        """
        for _ in range(MUTATIONS):
            states = mutate_path(self._start, architecture.states, self.actions, random)
            if states is not None:
                return self.architecture(states)
        return self.sample(random)
