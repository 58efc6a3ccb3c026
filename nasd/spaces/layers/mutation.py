"""One change to a path of layers: a layer changed, inserted or deleted, and the layers behind it derived again."""

from collections.abc import Callable, Sequence

import numpy as np

from nasd.spaces.layers.state import (
    State,
    conv_state,
    end_state,
    fc_state,
    pool_state,
    spp_state,
    wrn_state,
)

Successors = Callable[[State], tuple[State, ...]]
"""The states that may follow a state."""


def mutate_path(
    start: State, states: Sequence[State], successors: Successors, random: np.random.Generator
) -> tuple[State, ...] | None:
    """Draw a change, a place for it and, unless it deletes, a layer that may stand there; all uniformly.

    Args:
        start: The state before the first layer.
        states: A path from the first layer to its terminal state.
        successors: What may follow what.
        random: Where the draws come from.

    Returns:
        A path that differs in one layer, or None if the layers behind the change do not fit any more.
    """
    layers = states[:-1]
    change = random.integers(3)  # change, insert, delete
    place = int(random.integers(len(layers) + (change == 1)))
    before = states[place - 1] if place else start
    kept = states[place:] if change == 1 else states[place + 1 :]
    path = list(states[:place])
    if change != 2:
        choices = [s for s in successors(before) if not s.terminate and (change == 1 or s != states[place])]
        if not choices:
            return None
        path.append(choices[int(random.integers(len(choices)))])
    for layer in kept:
        after = path[-1] if path else start
        derived = follow(after, layer)
        if derived not in successors(after):
            return None
        path.append(derived)
    return tuple(path) if tuple(path) != tuple(states) else None


def follow(before: State, layer: State) -> State:
    """The same layer behind another state: its depth and sizes are those that follow from there."""
    if layer.terminate:
        return end_state(before)
    match layer.layer_type:
        case "conv":
            return conv_state(before, layer.filter_depth, layer.filter_size, layer.stride, layer.padding)
        case "wrn":
            return wrn_state(before, layer.filter_depth)
        case "max_pool":
            return pool_state(before, layer.filter_size, layer.stride)
        case "spp":
            return spp_state(before, layer.filter_size)
        case "fc":
            return fc_state(before, layer.fc_size)
        case "start":
            raise ValueError("the start state is no layer")
