"""What a supernet's controller chose over the epochs: a stripe a unit (as LightNAS shows it in TensorBoard)."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.config import SupernetConfig
from nasd.errors import NasdError
from nasd.outcome import epoch_in
from nasd.pictures.style import GREY, INK, headline, new_figure
from nasd.runs import changes
from nasd.spaces.supernet import SupernetSpace
from store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Choices(NamedTuple):
    """What is drawn. `first` is the probability of each unit's first choice, (units, epochs)."""

    name: str
    units: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]
    first: NDArray[np.float64]


def of_run(directory: Path) -> Choices:
    """The choices of a run, epoch by epoch.

    Raises:
        NasdError: It is no search of a supernet, or no epoch came to its end.
    """
    with Run.open(directory) as run:
        config = changes.config_of(run)
        if not isinstance(config.space, SupernetConfig):
            raise NasdError(f"{directory.name} is no search of a supernet: there are no units that choose")
        epochs = [epoch for trial in run.observed() if (epoch := epoch_in(trial.metrics)) is not None]
    if not epochs:
        raise NasdError(f"{directory.name} has no epoch that came to its end yet: wait for one")
    units = SupernetSpace(config.space).skeleton.units
    first = np.array([[shares[0] for shares in epoch.probabilities] for epoch in epochs]).T
    return Choices(directory.name, tuple(unit.label for unit in units), tuple(unit.choices for unit in units), first)


def draw_choices(shown: Choices) -> "Figure":
    """A row a unit, a column an epoch; the colour says how probable the first of its choices is."""
    count, epochs = shown.first.shape
    figure, axes = new_figure(max(6.0, 2.6 + 0.09 * epochs), 1.5 + 0.26 * count)
    axes.imshow(
        shown.first, aspect="auto", cmap="PuOr", vmin=0, vmax=1, interpolation="nearest",
        extent=(0.5, epochs + 0.5, count - 0.5, -0.5),
    )  # fmt: skip
    labels = [f"{unit}   {' | '.join(choices)}" for unit, choices in zip(shown.units, shown.choices, strict=True)]
    axes.set_yticks(range(count), labels)
    axes.tick_params(length=0)
    axes.set_xlabel("epoch", color=INK)
    axes.set_xlim(0.5, epochs + 0.5)
    for edge in axes.spines.values():
        edge.set_visible(False)
    headline(figure, f"{shown.name}: the controller's choices")
    axes.text(0, 1.02, "purple: the first choice is certain   orange: the second one   white: undecided",
              transform=axes.transAxes, fontsize=8.5, color=GREY)  # fmt: skip
    return figure
