"""What the UI has for a strategy besides what it has for all. Only here are strategies named; imports are lazy."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Export:
    """A table that only runs of this strategy can export."""

    what: str  # as `export` takes it
    key: str
    label: str


@dataclass(frozen=True)
class Extras:
    """Of a strategy. Classes are named as `module:Class`."""

    screen: str = ""  # the name of a screen of its own; "" if it has none
    pane: str = ""  # that screen: a StrategyPane
    trial: str = "tui.panes.trial:Trial"  # the screen of a trial: Trial, or what extends it
    exports: tuple[Export, ...] = ()


_EXTRAS = {
    "qlearning": Extras(
        screen="Q-table",
        pane="tui.strategies.qlearning.qtable:QTable",
        trial="tui.strategies.qlearning.trial:QTrial",
        exports=(Export("q_values", "v", "Q-values"),),
    ),
    "pnas": Extras(
        screen="Levels",
        pane="tui.strategies.pnas.levels:Levels",
        exports=(Export("train_history", "v", "history of cells"),),
    ),
    "enas": Extras(screen="Epochs", pane="tui.strategies.enas.epochs:Epochs"),
    "evolution": Extras(screen="Population", pane="tui.strategies.evolution.population:Population"),
}


def extras(strategy: str) -> Extras:
    """Of a strategy by its name; nothing for a name that is not known here: a newer daemon may have more."""
    return _EXTRAS.get(strategy, Extras())


def load(name: str) -> Any:
    """The class that `module:Class` names."""
    module, _, found = name.partition(":")
    return getattr(import_module(module), found)
