"""How well the cheap fidelity ranks: deep priors against trained networks, over all cells of one block.

    python -m benchmarks.cells [--config configs/pnas-fashion-mnist-cpu.yaml] [--cells 136] [--images 2000] [--epochs 5]

Every cell is evaluated twice, as a deep prior with the config's own training and trained in full for a few epochs, both
with the same seed and images. Prints a line a cell, and Spearman's correlation of the two rewards in the end. With
`--csv FILE` the pairs are kept. Some seconds a cell on one core.
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from nasd import config as configuration
from nasd import data as datasets
from nasd import rooms
from nasd.correlation import rank_correlation
from nasd.evaluators.bench import Bench
from nasd.evaluators.orders import evaluator_of
from nasd.outcome import Evaluated
from nasd.runs import create


def rewards(config: Any, nets: list[str], kind: str, folder: Path) -> list[float]:
    """Of each cell, by one evaluator; 0 where it failed."""
    data = datasets.load(config.data, config.seed)
    bench = Bench(config, rooms.space(config), torch.device("cpu"), data, None, folder)
    planner = rooms.planners(config, folder)[kind]
    evaluator = rooms.evaluator(kind, bench)
    found = []
    for number, net in enumerate(nets, start=1):
        began = time.monotonic()
        order = planner.trial(net, number, after=0, keep_above=None)
        assert evaluator_of(order) == kind
        outcome, _ = evaluator.run(order, lambda _step: None)
        found.append(outcome.reward if isinstance(outcome, Evaluated) else 0.0)
        print(f"{kind:11} {number:4} {found[-1]:.4f} {time.monotonic() - began:5.1f} s  {net}", flush=True)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/pnas-fashion-mnist-cpu.yaml"))
    parser.add_argument("--cells", type=int, default=136)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cheap = (f"data.train_samples={arguments.images}", "space.blocks=1", "executor.devices=[cpu]", "executor.threads=1")
    full = (*cheap, "evaluation.kind=training", f"training.epochs={arguments.epochs}")
    settled = create.settle(configuration.load(arguments.config, cheap))
    space = rooms.space(settled)
    nets = list(space.cells(1))[: arguments.cells]  # type: ignore[attr-defined] # a space of cells
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "weights").mkdir()
        priors = rewards(settled, nets, "deep_prior", folder)
        trained = rewards(create.settle(configuration.load(arguments.config, full)), nets, "training", folder)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as stream:
            csv.writer(stream).writerows([("cell", "deep_prior", "training"), *zip(nets, priors, trained, strict=True)])
    sys.stdout.write(f"{len(nets)} cells, Spearman {rank_correlation(priors, trained):.3f}\n")


if __name__ == "__main__":
    main()
