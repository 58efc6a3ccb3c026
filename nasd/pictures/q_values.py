"""What the search has learned: the value of each choice, layer by layer."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasd.errors import NasdError
from nasd.pictures.style import BAND, GREY
from nasd.runs.opening import search_of
from nasd.runs.published import q_values as published
from nasd.runs.published.q_values import StateTuple
from nasd.strategies.qlearning.strategy import QLearning
from store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEEPEST = 8  # panels
END = "end"


@dataclass(frozen=True)
class Choice:
    """A transition that was updated: the layer's place (1: the first), what it is, its features, its Q-value.

    Pooling and the end have the place of the convolution before them.
    """

    place: int
    kind: str
    features: int
    value: float


def of_run(run: Run) -> list[Choice]:
    """Every Q-value that was ever written.

    Raises:
        NasdError: The run's search is not by Q-learning.
        StoreError: It cannot be read.
    """
    strategy = search_of(run).strategy
    if not isinstance(strategy, QLearning):
        raise NasdError(f"{run.path.name} has no Q-values: its search is not by Q-learning")
    return _choices(strategy.written())


def of_csv(path: Path) -> list[Choice]:
    """Those of a published file, which lists untouched actions too, with their initial value.

    Raises:
        CsvError: The file is not one.
        DiskError: It cannot be read.
    """
    return _choices((row.state, row.action, row.value) for row in published.read(path))


def _choices(rows: Iterable[tuple[StateTuple, StateTuple, float]]) -> list[Choice]:
    choices = []
    for before, action, value in rows:
        kind, depth, features, size, stride, _, _, _, terminate = action
        if terminate:
            choices.append(Choice(before[1], END, 0, value))
        elif kind == "max_pool":
            choices.append(Choice(depth, f"pool {size}/{stride}", 0, value))
        elif kind in ("conv", "wrn"):
            name = "residual" if kind == "wrn" else f"conv {size}" + (f"/{stride}" if stride > 1 else "")
            choices.append(Choice(before[1] + 1, name, features, value))
    return choices


def draw_q_values(choices: list[Choice], name: str) -> "Figure":
    """A panel a layer: rows are kinds of layers, columns their features, colour the mean Q-value.

    Raises:
        NasdError: Nothing was learned yet.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    if not choices:
        raise NasdError(f"{name} has learned nothing yet: wait for its first trial")
    places = sorted({choice.place for choice in choices})[:_DEEPEST]
    choices = [choice for choice in choices if choice.place in places]
    kinds = sorted({choice.kind for choice in choices}, key=_order)
    features = sorted({choice.features for choice in choices if choice.features})
    cells: dict[tuple[int, str, int], list[float]] = defaultdict(list)
    for choice in choices:
        cells[choice.place, choice.kind, choice.features].append(choice.value)
    means = {cell: float(np.mean(values)) for cell, values in cells.items()}
    low, high = min(means.values()), max(means.values())

    columns = min(len(places), 4)
    rows = -(-len(places) // columns)
    width, height = 0.9 + 0.42 * max(len(features), 2), 0.9 + 0.3 * len(kinds)
    figure = Figure(figsize=(1.3 + columns * width + 0.7, 0.7 + rows * height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    image = None
    for place, axes in zip(places, grid.flat, strict=False):
        table = np.full((len(kinds), len(features)), np.nan)
        for (at, kind, feature), mean in means.items():
            if at == place:  # what has no features takes the whole row
                table[kinds.index(kind), features.index(feature) if feature else slice(None)] = mean
        axes.set_facecolor(BAND)
        image = axes.imshow(table, cmap="cividis", vmin=low, vmax=max(high, low + 1e-9), aspect="auto")
        axes.set_xticks(
            range(len(features)), [str(f) for f in features], rotation=90 if max(features, default=0) > 99 else 0
        )
        axes.set_yticks(range(len(kinds)), kinds)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_xticks(np.arange(len(features) - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(kinds) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.2)
        axes.tick_params(which="minor", length=0)
        axes.set_title(f"layer {place}", fontsize=10, pad=5)
    for axes in grid.flat[len(places) :]:
        axes.set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.9, aspect=30, pad=0.01)
        bar.outline.set_visible(False)
        bar.set_label("mean Q-value")
    figure.supxlabel("features", fontsize=10)
    figure.suptitle(f"{name}: what each choice is worth", fontweight="bold", fontsize=12, ha="left", x=0.01)
    figure.text(0.995, 0.005, "pale: never tried", ha="right", fontsize=8.5, color=GREY)
    return figure


def _order(kind: str) -> tuple[int, str]:
    name = kind.split(maxsplit=1)[0]
    return ("conv", "residual", "pool", END).index(name), kind.rjust(12)
