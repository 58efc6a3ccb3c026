"""Does ridge regression rank architectures as the trained classifier does, and what does it cost?

    python -m benchmarks.screening [--architectures 60] [--samples 6000] [--epochs 70] [--keep 0.3]

Architectures are random walks through a space that two cores can afford. Each is embedded once; on the same embedding
the classifier is trained and the ridge regression fitted.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

from nasd.box import tuning

tuning.prepare()  # before torch

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from benchmarks.architectures import load_data  # noqa: E402
from nasd.config import Config, LayersConfig, TrainingConfig  # noqa: E402
from nasd.evaluators.deep_prior.embedding import EmbeddedData  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.ridge import ridge_accuracies  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402
from nasd.spaces.layers import Architecture, SearchSpace  # noqa: E402

PENALTIES = (1e-3, 1e-2, 1e-1, 0.3, 1.0)


def draw(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Distinct random walks, of random lengths."""
    generator = random.Random(seed)
    found: dict[str, Architecture] = {}
    while len(found) < count:
        state, path = space.start(), []
        while not state.terminate:
            state = generator.choice(space.actions(state))
            path.append(state)
        architecture = space.architecture(tuple(path))
        if space.feasible(architecture) is None:
            found[str(architecture)] = architecture
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--architectures", type=int, default=60)
    parser.add_argument("--samples", type=int, default=6000, help="training images")
    parser.add_argument("--fit", type=int, default=6000, help="of these, so many for the ridge regression")
    parser.add_argument("--epochs", type=int, default=70)
    parser.add_argument("--keep", type=float, default=0.3)
    parser.add_argument("--features", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    data = load_data(arguments.data, arguments.samples).to(arguments.device)
    space = SearchSpace(
        LayersConfig(
            patch_size=data.image_size, channels=data.channels, min_conv=2, max_conv=6,
            conv_features=tuple(arguments.features), max_num_fc_input=8192,
        )
    )  # fmt: skip
    config = Config(training=TrainingConfig(epochs=arguments.epochs, early_stopping_thresh=0.0))
    rewards: list[float] = []
    scores: dict[float, list[float]] = {penalty: [] for penalty in PENALTIES}
    seconds: dict[str, list[float]] = {"encoder": [], "classifier": [], "ridge": []}

    def look(embedding: EmbeddedData) -> None:
        for penalty in PENALTIES:
            began = time.perf_counter()
            _, score = ridge_accuracies(
                embedding.splits["train"], embedding.splits["val"], data.num_classes, arguments.fit, 1, penalty
            )
            taken = time.perf_counter() - began
            scores[penalty].append(score)
        seconds["ridge"].append(taken)

    for number, architecture in enumerate(draw(space, arguments.architectures, arguments.seed), 1):
        outcome = evaluate(architecture, data, config, number, arguments.device, on_embedding=look)
        if not isinstance(outcome, Evaluated):
            raise SystemExit(outcome.reason)
        rewards.append(outcome.reward)
        seconds["encoder"].append(outcome.measured.encode_seconds)
        seconds["classifier"].append(outcome.measured.train_seconds)
        print(
            f"{number:3d} {outcome.embedding_dim:6d} values, reward {outcome.reward:.4f}, "
            f"ridge {' '.join(f'{scores[penalty][-1]:.4f}' for penalty in PENALTIES)}  {architecture}",
            flush=True,
        )
    print(f"\n{data.name}, {len(data.train):,} training images, {arguments.epochs} epochs, seconds (median): ", end="")
    print(", ".join(f"{what} {statistics.median(values):.2f}" for what, values in seconds.items()))
    kept = round(arguments.keep * len(rewards))
    best = set(sorted(range(len(rewards)), key=lambda n: -rewards[n])[: max(1, len(rewards) // 10)])
    ranked = pd.DataFrame({"reward": rewards, **scores}).corr(method="spearman")["reward"]
    print(
        "\n| penalty | rank correlation (Spearman) "
        f"| best tenth among the best {arguments.keep:.0%} | ridge minus reward |"
    )
    print("| --- | --- | --- | --- |")
    for penalty, values in scores.items():
        chosen = set(sorted(range(len(values)), key=lambda n: -values[n])[:kept])
        differences = [score - reward for score, reward in zip(values, rewards, strict=True)]
        print(
            f"| {penalty:g} | {ranked[penalty]:.3f} | {len(best & chosen)} of {len(best)} "
            f"| {100 * statistics.fmean(differences):+.1f} ± {100 * statistics.stdev(differences):.1f} points |"
        )


if __name__ == "__main__":
    main()
