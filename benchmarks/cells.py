"""How well the cheap fidelity ranks: deep priors against trained networks, over all cells of one block.

    python -m benchmarks.cells -o cells.csv [--plot cells.svg] [--images 2000] [--epochs 3]

Every cell is evaluated three times with the same images: as a deep prior with the config's own training, as one with
other random weights, which tells how much of a reward is chance, and trained in full for a few epochs with a schedule
of its own. A row goes into the CSV as soon as it is known, and a script that is started again goes on behind them.
Cells come in random order, so that some of them are a sample of all. In the end, Spearman's correlations.
"""

import argparse
import csv
import dataclasses
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nasd import config as configuration
from nasd import data as datasets
from nasd import rooms
from nasd.correlation import rank_correlation
from nasd.evaluators.bench import Bench
from nasd.outcome import Evaluated
from nasd.pictures.style import COLOURS, headline, new_figure, percent_axis, save
from nasd.runs import create

COLUMNS = ("cell", "deep_prior", "other_weights", "training", "parameters", "seconds")
TESTED = 100  # images of the test split: its accuracy is not used


class Evaluations:
    """Rewards of cells by one kind of evaluation."""

    def __init__(self, config: Path, overrides: tuple[str, ...], folder: Path) -> None:
        self.config = create.settle(configuration.load(config, overrides))
        self.space: Any = rooms.space(self.config)
        loaded = datasets.load(self.config.data, self.config.seed)
        assert isinstance(loaded, datasets.Data)
        data = dataclasses.replace(loaded, test=loaded.test.take(torch.arange(TESTED)))
        kind = self.config.evaluation.kind
        self._planner = rooms.planners(self.config, folder)[kind]
        bench = Bench(self.config, self.space, torch.device("cpu"), data, None, folder)
        self._evaluator = rooms.evaluator(kind, bench)

    def accuracy(self, net: str, number: int) -> float:
        """On the validation images, after the last epoch; 0 where the evaluation failed."""
        order = self._planner.trial(net, number, after=0, keep_above=None)
        outcome, _ = self._evaluator.run(order, lambda _step: None)
        return outcome.validation_accuracies[-1] if isinstance(outcome, Evaluated) else 0.0


def measure(priors: Evaluations, full: Evaluations, path: Path, wanted: int) -> None:
    """Append the rows that the file lacks."""
    cells: list[str] = list(priors.space.cells(1))
    known = {row["cell"] for row in read(path)} if path.exists() else set()
    if not known:
        path.write_text(",".join(COLUMNS) + "\n")
    order = random.Random(1).sample(list(enumerate(cells, start=1)), len(cells))
    for done, (number, net) in enumerate(order[:wanted], start=1):
        if net in known:
            continue
        began = time.monotonic()
        prior, other = priors.accuracy(net, number), priors.accuracy(net, len(cells) + number)
        trained = full.accuracy(net, number)
        parameters = priors.space.graph(priors.space.parse(net)).parameters
        row = (net, f"{prior:.6f}", f"{other:.6f}", f"{trained:.6f}", parameters, f"{time.monotonic() - began:.1f}")
        with path.open("a", newline="") as stream:
            csv.writer(stream).writerow(row)
        sys.stdout.write(f"{done:4} of {wanted}: {'  '.join(map(str, row))}\n")
        sys.stdout.flush()


def read(path: Path) -> list[dict[str, str]]:
    """The rows of such a file."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def report(path: Path) -> str:
    """The correlations, in a few lines."""
    rows = read(path)
    column = {name: [float(row[name]) for row in rows] for name in COLUMNS[1:]}
    prior, other, trained = (np.array(column[name]) for name in COLUMNS[1:4])
    noise = float(np.sqrt(((prior - other) ** 2).mean() / 2))
    lines = [f"{len(rows)} cells; standard deviation of deep priors {prior.std():.4f}, of which chance {noise:.4f}"]
    for said, x in (
        ("a deep prior and one with other random weights", other),
        ("a deep prior and training", trained),
    ):
        lines.append(f"Spearman of {said}: {rank_correlation(prior.tolist(), x.tolist()):.3f}")
    mean = ((prior + other) / 2).tolist()
    lines.append(
        f"Spearman of the mean of two deep priors and training: {rank_correlation(mean, trained.tolist()):.3f}"
    )
    lines.append(f"Spearman of parameters and training: {rank_correlation(column['parameters'], trained.tolist()):.3f}")
    return "\n".join(lines) + "\n"


def draw(path: Path) -> Any:
    """A dot a cell: deep prior to the right, training upwards."""
    rows = read(path)
    prior, trained = ([float(row[name]) for row in rows] for name in ("deep_prior", "training"))
    figure, axes = new_figure(5.5, 4.5)
    for pooled, label, colour in ((False, "convolutions", COLOURS[0]), (True, "identity and pooling only", COLOURS[1])):
        chosen = [place for place, row in enumerate(rows) if _weightless(row["cell"]) == pooled]
        axes.scatter([prior[i] for i in chosen], [trained[i] for i in chosen], s=14, color=colour, label=label)
    axes.set_xlabel("deep prior: accuracy of a linear probe")
    axes.set_ylabel("accuracy after training")
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    axes.legend()
    headline(figure, f"{len(rows)} cells of one block, Spearman {rank_correlation(prior, trained):.2f}")
    return figure


def _weightless(net: str) -> bool:
    return "conv" not in net and "sep" not in net and "dil" not in net


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/pnas-fashion-mnist-cpu.yaml"))
    parser.add_argument("-o", "--csv", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--cells", type=int, default=136)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--validation", type=float, default=0.03, help="share of the 60,000 images that rewards are of")
    parser.add_argument("--epochs", type=int, default=3, help="of training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the config, for both")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cheap = (
        f"data.train_samples={arguments.images}", f"data.validation_fraction={arguments.validation}", "space.blocks=1",
        "executor.devices=[cpu]", "executor.threads=1", "training.early_stopping_thresh=0", *arguments.set,
    )  # fmt: skip
    epochs = arguments.epochs
    full = (
        *cheap, "evaluation.kind=training", f"training.epochs={epochs}", f"training.warm_restart_epochs={epochs}",
        "training.batch_size=32",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "weights").mkdir()
        measure(
            Evaluations(arguments.config, cheap, folder),
            Evaluations(arguments.config, full, folder),
            arguments.csv,
            arguments.cells,
        )
    if arguments.plot:
        save(arguments.plot, lambda: draw(arguments.csv))
    sys.stdout.write(report(arguments.csv))


if __name__ == "__main__":
    main()
