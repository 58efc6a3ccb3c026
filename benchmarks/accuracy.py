"""Our accuracies next to those of the published code, on real FashionMNIST: `python benchmarks/accuracy.py --data DIR`.

Every seed draws a fresh validation split, fresh weights, a fresh order. Prints Markdown tables (see docs/accuracy.md).
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch

from nasd.config import Config, DataConfig, TrainingConfig
from nasd.data import load
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.outcome import Evaluated
from nasd.seeding import trial_seed
from nasd.spaces.layers import SearchSpace

EPOCHS = 5
ARCHITECTURES = {
    "A": "[C(32,5,1,2,1), P(4,4,0,0), C(32,3,1,1,0), C(256,1,1,0,1), C(128,3,1,0,1), SM(10)]",
    "B": "[C(64,3,1,1,1), P(2,2,0,0), C(64,3,1,1,1), P(2,2,0,0), C(128,3,1,1,1), SM(10)]",
}
# The published code, run unchanged on the same files: per run, (validation, test) in percent after each epoch.
PUBLISHED: dict[str, list[list[tuple[float, float]]]] = {
    "A": [
        [(87.8, 87.2), (88.6, 88.1), (87.9, 87.6), (88.9, 89.1), (88.8, 88.8)],
        [(86.5, 86.3), (87.0, 86.2), (88.5, 87.7), (89.0, 88.4), (89.2, 88.2)],
        [(87.8, 87.0), (89.6, 88.3), (90.3, 88.7)],
    ],
    "B": [
        [(87.8, 87.7), (89.1, 88.3), (89.0, 88.7), (89.6, 88.8), (87.9, 87.0)],
        [(88.2, 88.1), (88.2, 88.4), (88.4, 87.9), (89.6, 89.5), (89.3, 88.6)],
    ],
}


def summary(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return statistics.fmean(values), error


def row(what: str, ours: Sequence[float], published: Sequence[float]) -> str:
    """One line: both means with their standard errors, and how many standard errors lie between them."""
    (mean, error), (other, other_error) = summary(ours), summary(published)
    difference = mean - other
    sigmas = difference / (error**2 + other_error**2) ** 0.5
    return (
        f"| {what} | {mean:.2f} ± {error:.2f} ({len(ours)}) | {other:.2f} ± {other_error:.2f} ({len(published)}) "
        f"| {difference:+.2f} ({sigmas:+.1f} s.e.) |"
    )


def run(text: str, seed: int, root: Path, device: str) -> Evaluated:
    """Five epochs with everything drawn from `seed`."""
    config = Config(seed=seed, data=DataConfig(name="fashion_mnist", root=root), training=TrainingConfig(epochs=EPOCHS))
    data = load(config.data, seed).to(device)
    outcome = evaluate(SearchSpace(config.space).parse(text), data, config, trial_seed(seed, 1), device)
    if not isinstance(outcome, Evaluated):
        raise SystemExit(outcome.reason)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    for name, text in ARCHITECTURES.items():
        outcomes = [run(text, seed, arguments.data, arguments.device) for seed in range(1, arguments.seeds + 1)]
        published = PUBLISHED[name]
        print(f"\n{name} `{text}`, {outcomes[0].embedding_dim} values\n")
        print("| percent | nasd: mean ± s.e. (runs) | published: mean ± s.e. (runs) | difference |")
        print("| --- | --- | --- | --- |")
        for epoch in range(EPOCHS):
            ours = [100 * outcome.validation_accuracies[epoch] for outcome in outcomes]
            theirs = [values[epoch][0] for values in published if epoch < len(values)]
            print(row(f"validation, epoch {epoch + 1}", ours, theirs))
        complete = [values for values in published if len(values) == EPOCHS]
        reward = [statistics.fmean(validation for validation, _ in values) for values in complete]
        print(row("reward (mean of the five)", [100 * outcome.reward for outcome in outcomes], reward))
        tests = [100 * (outcome.test_accuracy or 0.0) for outcome in outcomes]
        print(row(f"test, epoch {EPOCHS}", tests, [values[-1][1] for values in complete]))
        encode = statistics.median(outcome.measured.encode_seconds for outcome in outcomes)
        train = statistics.median(outcome.measured.train_seconds for outcome in outcomes) / EPOCHS
        threads = torch.get_num_threads()
        print(f"\nMedian seconds: {encode:.1f} to embed, {train:.2f} an epoch ({threads} threads).")


if __name__ == "__main__":
    main()
