"""A run's Q-values in the published columns."""

from pathlib import Path

from nasd.errors import NasdError
from nasd.runs.opening import search_of
from nasd.runs.published import q_values
from nasd.runs.published.replay import Unit
from nasd.strategies.qlearning.strategy import QLearning
from store import Run


def write(run: Run, path: Path, _: Unit) -> int:
    """Write every action of every state that was updated, untouched ones with their initial value: the published code
    takes what a file does not list not to exist.

    Returns:
        The number of rows.

    Raises:
        NasdError: The run's search is not by Q-learning.
        StoreError: The run cannot be read, or the disk refuses.
    """
    strategy = search_of(run).strategy
    if not isinstance(strategy, QLearning):
        raise NasdError(f"{run.path.name} has no Q-values to export: its search is not by Q-learning")
    return q_values.write(path, (q_values.QRow(*row) for row in strategy.values()))
