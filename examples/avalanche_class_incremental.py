"""Class-incremental learning on a deep prior's embeddings, with Avalanche (DP-NAS's hypothesis 4, arXiv 2104.06788).

    make example-avalanche

The deep prior was searched for on some of the classes (`examples/avalanche.yaml`); `nasd embed` then embedded all of
them. Five experiences of two classes each come one after the other. Compared are a linear classifier that is trained
on each as it comes (naive), one that also repeats a few stored samples (replay), and one that sees everything at once
(the linear probe), which is what there is to reach. Printed and drawn: the accuracy on every experience after each,
and the forgetting, the mean drop of an experience from the accuracy it had when it was learned.

It runs in an environment of its own (`examples/avalanche.lock`); of nasd it needs the folder `store` alone.
"""

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from avalanche.benchmarks import class_incremental_benchmark
from avalanche.benchmarks.utils import as_classification_dataset
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.supervised import Naive, Replay
from matplotlib.figure import Figure
from torch import nn

from store.embeddings import EmbeddingDataset

EXPERIENCES = 5
COLOURS = {"naive": "#D55E00", "replay": "#0072B2", "probe": "#6b7280"}


def dataset(path, split):
    """One split, held in memory, as Avalanche takes it."""
    rows = EmbeddingDataset(path, split, transform=lambda row: torch.from_numpy(row).float(), memory=2 << 30)
    return rows, as_classification_dataset(rows)


@torch.no_grad()
def accuracy(model, x, y, classes=None):
    """The share of rows told right, of some classes or of all."""
    chosen = torch.isin(y, torch.tensor(sorted(classes))) if classes is not None else slice(None)
    return (model(x[chosen]).argmax(1) == y[chosen]).float().mean().item()


def linear(values, classes):
    """A classifier as the search trains it, from the same start each time."""
    torch.manual_seed(0)
    model = nn.Linear(values, classes, bias=False)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def incremental(strategy, benchmark, values, classes, test, epochs, **options):
    """Learn the experiences in turn; (after i, on j) accuracies, and on all classes after each."""
    model, optimiser = linear(values, classes)
    learner = strategy(
        model=model, optimizer=optimiser, criterion=nn.CrossEntropyLoss(), train_mb_size=64, train_epochs=epochs,
        evaluator=EvaluationPlugin(loggers=[]), **options,
    )  # fmt: skip
    matrix, overall = np.full((EXPERIENCES, EXPERIENCES), np.nan), []
    groups = [experience.classes_in_this_experience for experience in benchmark.train_stream]
    for number, experience in enumerate(benchmark.train_stream):
        with warnings.catch_warnings(record=True):  # it tells of its own deprecations, whatever the filter
            learner.train(experience, num_workers=0)
        model.eval()
        matrix[number] = [accuracy(model, *test, group) for group in groups]
        overall.append(accuracy(model, *test, {c for group in groups[: number + 1] for c in group}))
    return matrix, overall


def probe(train, classes, epochs):
    """The linear classifier that sees everything."""
    (x, y), values = train, train[0].shape[1]
    model, optimiser = linear(values, classes)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    return model


def forgetting(matrix):
    """The mean drop from what an experience had when it was learned to what is left at the end."""
    learned, left = np.diag(matrix)[:-1], matrix[-1, :-1]
    return float((learned - left).mean())


def draw(path, results, reached, title):
    """The matrices, and the accuracy on all classes seen so far."""
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    grid = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    for axes, (name, (matrix, _)) in zip(grid, results.items(), strict=False):
        axes.imshow(np.where(np.tri(EXPERIENCES, dtype=bool), matrix, np.nan), cmap="cividis", vmin=0, vmax=1)
        for row in range(EXPERIENCES):
            for column in range(row + 1):
                value = matrix[row, column]
                colour = "black" if value > 0.6 else "white"
                axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(EXPERIENCES), range(1, EXPERIENCES + 1))
        axes.set_yticks(range(EXPERIENCES), range(1, EXPERIENCES + 1))
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set(xlabel="accuracy on experience, %", ylabel="after experience")
        axes.set_title(f"{name}: forgetting {100 * forgetting(matrix):.0f} points", loc="left", fontsize=11)
    axes, after = grid[-1], np.arange(1, EXPERIENCES + 1)
    for name, (_, overall) in results.items():
        axes.plot(after, 100 * np.array(overall), color=COLOURS[name], marker="o", linewidth=2)
        axes.annotate(f" {name}", (EXPERIENCES, 100 * overall[-1]), color=COLOURS[name], va="center", weight="bold")
    axes.axhline(100 * reached, color=COLOURS["probe"], linestyle="--", linewidth=1.4)
    axes.text(EXPERIENCES + 0.9, 100 * reached + 1.5, "sees everything", color=COLOURS["probe"], ha="right")
    axes.set(xlabel="after experience", ylim=(0, 103), xlim=(0.8, EXPERIENCES + 0.9), xticks=after)
    axes.set_title("accuracy on all classes so far, %", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.savefig(path, dpi=150)


def main():
    """Run the comparison; exit code 1 if replay does not forget less than naive training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("embedding", type=Path)
    parser.add_argument("--figure", type=Path, default=Path("avalanche.png"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--memory", type=int, default=200, help="samples that replay may keep")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore", module="avalanche")
    torch.set_num_threads(1)  # mini-batches this small only wait for a second one

    rows, train = dataset(options.embedding, "train")
    unseen, test = dataset(options.embedding, "test")
    benchmark = class_incremental_benchmark({"train": train, "test": test}, num_experiences=EXPERIENCES, seed=1)
    classes = len(rows.classes)
    known, held_out = ((x.float(), y) for x, y in (rows.tensors(), unseen.tensors()))
    values = known[0].shape[1]
    source = rows.attributes
    print(f"{source['architecture']}: {len(rows):,} training and {len(unseen):,} test samples of {values:,} values")

    for number, experience in enumerate(benchmark.train_stream, 1):
        names = sorted(rows.classes[c] for c in experience.classes_in_this_experience)
        print(f"  experience {number}: {', '.join(names)}")

    linear_probe = probe(known, classes, options.epochs)
    reached = accuracy(linear_probe, *held_out)
    results = {
        "naive": incremental(Naive, benchmark, values, classes, held_out, options.epochs),
        "replay": incremental(Replay, benchmark, values, classes, held_out, options.epochs, mem_size=options.memory),
    }
    for name, (matrix, overall) in results.items():
        print(f"\n{name}: accuracy in percent on experience 1 to {EXPERIENCES} (columns) after each (rows)")
        for row in range(EXPERIENCES):
            print("  " + " ".join(f"{100 * value:5.1f}" for value in matrix[row, : row + 1]))
        print(f"  at the end {100 * overall[-1]:.1f} on all classes, forgetting {100 * forgetting(matrix):.1f} points")
    print(f"\nthe linear probe that sees everything: {100 * reached:.1f} on all classes")
    if searched := source.get("search_classes"):
        for what, chosen in (("searched for", searched), ("not", set(range(classes)) - set(searched))):
            print(f"  on those that the deep prior was {what}: {100 * accuracy(linear_probe, *held_out, chosen):.1f}")
    draw(options.figure, results, reached, f"{source['data']['name']}, {EXPERIENCES} experiences of new classes")
    print(f"wrote {options.figure}")
    better = forgetting(results["replay"][0]) < forgetting(results["naive"][0])
    raise SystemExit(0 if better and reached > results["naive"][1][-1] else 1)


if __name__ == "__main__":
    main()
