"""The only registry: names in a config, and the rooms that they stand for. Rooms are imported when they are needed."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nasd.protocol import Message
from nasd.spaces.base import Space
from nasd.strategies.base import Strategy

if TYPE_CHECKING:
    from nasd.config import Config

_SPACES = {
    "layers": "nasd.spaces.layers:SearchSpace",
}
_STRATEGIES = {
    "qlearning": "nasd.strategies.qlearning.strategy:QLearning",
}
_VIEWS = {
    "qlearning": "nasd.strategies.qlearning.views:METHODS",
}

View = Callable[[Any, Any, Any], Message]
"""Answers a client's request: takes the strategy, its space, and the request's parameters."""


def space(config: "Config") -> Space[Any]:
    """The config's search space.

    Raises:
        ConfigError: It holds no architecture.
    """
    made: Space[Any] = _room(_SPACES[config.space.kind])(config.space)
    return made


def strategy(config: "Config", space: Space[Any]) -> Strategy:
    """The config's strategy, as it is before the first trial."""
    made: Strategy = _room(_STRATEGIES[config.search.strategy])(config, space)
    return made


def views(config: "Config") -> Mapping[str, View]:
    """What only the config's strategy can show, by method of the protocol."""
    room = _VIEWS.get(config.search.strategy)
    methods: Mapping[str, View] = _room(room) if room else {}
    return methods


def _room(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
