"""The only registry: names in a config, and the rooms that they stand for. Rooms are imported when they are needed."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasd.protocol import Message
from nasd.spaces.base import Space
from nasd.strategies.base import Strategy

if TYPE_CHECKING:
    from nasd.config import Config
    from nasd.evaluators.base import Evaluator, Planner, Thinker
    from nasd.evaluators.bench import Bench
    from nasd.executors.base import ExecutorFactory
    from store import Run

_SPACES = {
    "cells": "nasd.spaces.cells:CellSpace",
    "layers": "nasd.spaces.layers:SearchSpace",
    "supernet": "nasd.spaces.supernet:SupernetSpace",
}
_STRATEGIES = {
    "enas": "nasd.strategies.enas.strategy:Enas",
    "evolution": "nasd.strategies.evolution.strategy:Evolution",
    "pnas": "nasd.strategies.pnas.strategy:PNAS",
    "qlearning": "nasd.strategies.qlearning.strategy:QLearning",
    "random": "nasd.strategies.random.strategy:RandomSearch",
}
_VIEWS = {
    "enas": "nasd.strategies.enas.views:METHODS",
    "evolution": "nasd.strategies.evolution.views:METHODS",
    "pnas": "nasd.strategies.pnas.views:METHODS",
    "qlearning": "nasd.strategies.qlearning.views:METHODS",
}

_PLANNERS = {
    "deep_prior": "nasd.evaluators.deep_prior.planner:DeepPriorPlanner",
    "supernet": "nasd.evaluators.supernet.planner:SupernetPlanner",
    "training": "nasd.evaluators.training.planner:TrainingPlanner",
}
_EVALUATORS = {
    "deep_prior": "nasd.evaluators.deep_prior.evaluator:DeepPriorEvaluator",
    "supernet": "nasd.evaluators.supernet.evaluator:SupernetEvaluator",
    "training": "nasd.evaluators.training.evaluator:TrainingEvaluator",
}
_EXECUTORS = {
    "processes": "nasd.executors.processes.executor:Processes",
    "ray": "nasd.executors.ray.executor:Ray",
}

_TABLES = {
    "replay_buffer": "nasd.runs.published.replay_buffer:write",
}
_TABLES_OF = {
    "pnas": {"train_history": "nasd.runs.published.cells:write"},
    "qlearning": {"q_values": "nasd.runs.published.q_table:write"},
}

View = Callable[[Any, Any, Any], Message]
"""Answers a client's request: takes the strategy, its space, and the request's parameters."""
Table = Callable[["Run", Path, Any], int]
"""Takes a run, the file to write, and the unit of accuracies; returns the number of rows."""


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


def tables(config: "Config") -> "Mapping[str, Table]":
    """What writes each table of a run in the columns that published code reads."""
    places = {**_TABLES, **_TABLES_OF.get(config.search.strategy, {})}
    return {name: _room(place) for name, place in places.items()}


def thinker(config: "Config") -> "Thinker":
    """The heavy thinking of the config's strategy, for a worker."""
    found: Thinker = _room(f"nasd.strategies.{config.search.strategy}.thinking:think")
    return found


def planners(config: "Config", run: Path) -> "dict[str, Planner]":
    """The daemon's half of each evaluator: a job may ask for another than the trials."""
    return {name: _room(place)(config, run) for name, place in _PLANNERS.items()}


def evaluator(name: str, bench: "Bench") -> "Evaluator[Any]":
    """The worker's half of an evaluator."""
    made: Evaluator[Any] = _room(_EVALUATORS[name])(bench)
    return made


def executor(config: "Config") -> "ExecutorFactory":
    """What makes the config's executor."""
    factory: ExecutorFactory = _room(_EXECUTORS[config.executor.kind])
    return factory


def _room(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
