"""Which states may follow which: MetaQNN's transitions (arXiv 1611.02167, section 4.2), with the layers of DP-NAS, or
with those of the search on CODEBRIM.
"""

from functools import lru_cache
from typing import Protocol

from nasd.config import LayersConfig
from nasd.spaces.layers.state import (
    State,
    conv_state,
    end_state,
    fc_state,
    output_size,
    pool_state,
    spp_state,
    start_state,
    wrn_state,
)


class Transitions(Protocol):
    """Which states may follow which."""

    def successors(self, state: State) -> tuple[State, ...]:
        """All states that may follow, in a fixed order, without duplicates; none after a terminal one."""
        ...


def transitions(config: LayersConfig) -> Transitions:
    """Those of the configured form."""
    return PyramidTransitions(config) if config.form == "codebrim" else DeepPriorTransitions(config)


class DeepPriorTransitions:
    """The successors of DP-NAS (arXiv 2104.06788). An instance holds bounded caches of some 20 MB at most.

    The convolutions after a state depend on its depth and image size alone, the pooling layers on its features besides,
    so those blocks are built once and shared.
    """

    def __init__(self, config: LayersConfig) -> None:
        self._config = config
        self._convolutions = lru_cache(maxsize=1024)(self._list_convolutions)
        self._pooling = lru_cache(maxsize=4096)(self._list_pooling)

    def successors(self, state: State) -> tuple[State, ...]:
        """All states that may follow, in a fixed order, without duplicates; none after a terminal one.

        A state that nothing could follow (a limit leaves no layer that fits) may always end.
        """
        if state.terminate:
            return ()
        depth, side = state.layer_depth, state.image_size
        match state.layer_type:
            case "start":
                return self._convolutions(depth, side)
            case "fc":
                return (end_state(state), *_smaller_fc(self._config, state))
            case "conv" | "wrn":
                behind = (*self._convolutions(depth, side), *self._pooling(depth, state.filter_depth, side))
                sizes = self._config.conv_sizes
            case "max_pool":
                behind = self._convolutions(depth, side)
                sizes = self._config.pool_sizes
            case "spp":
                return (end_state(state),)
        first_fc = _first_fc(self._config, state) if depth >= self._config.min_conv else ()
        behind = (*first_fc, *behind)
        may_end = depth >= self._config.min_conv or min(sizes, default=side) >= side
        return (end_state(state), *behind) if may_end or not behind else behind

    def _list_convolutions(self, depth: int, side: int) -> tuple[State, ...]:
        config = self._config
        if depth >= config.max_conv:
            return ()
        before = start_state(side)._replace(layer_depth=depth)
        convolutions = [
            conv_state(before, features, size, stride, padding)
            for features in config.conv_features
            for size in config.conv_sizes
            if size < side
            for padding in dict.fromkeys((0, (size - 1) // 2))
            for stride in self._strides(size)
            if (side - size + 2 * padding) % stride == 0
        ]
        if config.wrn and side > 3:
            convolutions += [wrn_state(before, features) for features in config.conv_features]
        return tuple(convolutions)

    def _strides(self, size: int) -> tuple[int, ...]:
        config = self._config
        large = config.large_conv_strides if size >= config.large_conv_size else ()
        return tuple(stride for stride in dict.fromkeys((*config.conv_strides, *large)) if stride <= size)

    def _list_pooling(self, depth: int, features: int, side: int) -> tuple[State, ...]:
        before = start_state(side)._replace(layer_depth=depth, filter_depth=features)
        return tuple(
            pool_state(before, size, stride)
            for size in self._config.pool_sizes
            if size < side
            for stride in self._config.pool_strides
            if stride <= size and (side - size) % stride == 0 and output_size(side, size, stride, 0) >= 1
        )


class PyramidTransitions:
    """The successors of the search on CODEBRIM (https://github.com/MrtnMndt/meta-learning-CODEBRIM, MetaQNN).

    Convolutions without padding and residual blocks, spatial pyramid pooling behind them, then fully connected layers
    or the end. Convolutions leave an image that the smallest pyramid fits, so that every path can end with one. An
    instance holds a bounded cache of some 5 MB at most.
    """

    def __init__(self, config: LayersConfig) -> None:
        self._config = config
        self._convolutions = lru_cache(maxsize=4096)(self._list_convolutions)

    def successors(self, state: State) -> tuple[State, ...]:
        """All states that may follow, in a fixed order, without duplicates; none after a terminal one.

        The pyramid comes from `min_conv` layers on, and earlier where no convolution fits any more.
        """
        if state.terminate:
            return ()
        match state.layer_type:
            case "fc":
                return (end_state(state), *_smaller_fc(self._config, state))
            case "spp":
                return (end_state(state), *_first_fc(self._config, state))
        convolutions = self._convolutions(state.layer_depth, state.image_size)
        if state.layer_type == "start" or (convolutions and state.layer_depth < self._config.min_conv):
            return convolutions
        levels = (levels for levels in self._config.spp_levels if levels <= state.image_size)
        return (*convolutions, *(spp_state(state, count) for count in levels))

    def _list_convolutions(self, depth: int, side: int) -> tuple[State, ...]:
        config, smallest = self._config, min(self._config.spp_levels)
        if depth >= config.max_conv:
            return ()
        before = start_state(side)._replace(layer_depth=depth)
        convolutions = [
            conv_state(before, features, size, stride, 0)
            for features in config.conv_features
            for size in config.conv_sizes
            if size < side
            for stride in self._strides(size)
            if output_size(side, size, stride, 0) >= smallest
        ]
        if config.wrn and side > 3 and side >= smallest:
            convolutions += [wrn_state(before, features) for features in config.conv_features]
        return tuple(convolutions)

    def _strides(self, size: int) -> tuple[int, ...]:
        large = self._config.large_conv_strides if size >= self._config.large_conv_size else ()
        return tuple(stride for stride in dict.fromkeys(large or self._config.conv_strides) if stride <= size)


def _first_fc(config: LayersConfig, state: State) -> tuple[State, ...]:
    return tuple(fc_state(state, units) for units in config.fc_sizes) if config.max_fc > 0 else ()


def _smaller_fc(config: LayersConfig, state: State) -> tuple[State, ...]:
    if state.filter_depth >= config.max_fc - 1:
        return ()
    return tuple(fc_state(state, units) for units in config.fc_sizes if units <= state.fc_size)
