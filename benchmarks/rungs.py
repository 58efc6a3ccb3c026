"""What looks at the first images say of an architecture, and what they save.

    python -m benchmarks.rungs [--architectures 60] [--samples 3000] [--images 500 1500] [--keep 0.33 0.5]

Architectures of the paper's space (`configs/dp-nas.yaml`), drawn at random among those of at most `--max-gflops`, are
evaluated whole, with their scores at each rung beside. Then rungs are put to the sequence as a search would put them:
what each trial is held to depends on those before it. `--again FILE` reads the rows that an earlier run printed
instead of evaluating.

    python -m benchmarks.rungs --penalties 0.001 0.01 0.1 0.3 1 --samples 12000 --images 500 1000 2000 4000

says instead how well the scores rank by each penalty of the ridge regression.

Of the validation split, `--validation` images are taken, of the test split a mini-batch. Operations are those of the
encoder for a data set in the proportions of FashionMNIST: 54 images that train, 6 that validate, 10 that test.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nasd.box import tuning

tuning.prepare()  # before torch

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.architectures import load_data  # noqa: E402
from nasd.box.processor import multiplies_bfloat16  # noqa: E402
from nasd.config import Config, EncoderConfig, LayersConfig, RungsConfig, TrainingConfig  # noqa: E402
from nasd.correlation import rank_correlation  # noqa: E402
from nasd.data import Data, ImageSplit  # noqa: E402
from nasd.evaluators.deep_prior.embedding import EmbeddedData  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.fft_table import of_device  # noqa: E402
from nasd.evaluators.deep_prior.ridge import leave_one_out_accuracies  # noqa: E402
from nasd.evaluators.deep_prior.rungs import Rungs, estimate  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.evaluators.orders import Rung  # noqa: E402
from nasd.evaluators.seeding import generator  # noqa: E402
from nasd.outcome import Evaluated, RungScores  # noqa: E402
from nasd.spaces.layers import Architecture, SearchSpace  # noqa: E402

BEHIND = 16 / 54  # images that validate and test, for each that trains


@dataclass(frozen=True)
class Row:
    """An architecture that was evaluated whole."""

    gflops: float  # of the encoder and the classifier for one image
    reward: float
    scores: tuple[float, ...]

    def __str__(self) -> str:
        return " ".join(f"{value:.6g}" for value in (self.gflops, self.reward, *self.scores))

    @classmethod
    def read(cls, line: str) -> "Row":
        gflops, reward, *scores = map(float, line.split()[: line.split().index("|")])
        return cls(gflops, reward, tuple(scores))


def draw(space: SearchSpace, seed: int) -> Iterator[Architecture]:
    """Different architectures that are worth evaluating, without end."""
    random, seen = np.random.default_rng(seed), set()
    while True:
        architecture = space.sample(random)
        if architecture not in seen and space.feasible(architecture) is None:
            seen.add(architecture)
            yield architecture


def evaluated(arguments: argparse.Namespace, look: Callable[[EmbeddedData], None] | None = None) -> Iterator[Row]:
    """Evaluate, and print each row as it comes."""
    data = load_data(arguments.data, arguments.samples)
    data = replace(data, validation=cut(data, "val", arguments.validation), test=cut(data, "test", 128))
    space = SearchSpace(LayersConfig(patch_size=data.image_size, max_gflops=arguments.max_gflops))
    precision: Literal["bfloat16", "float32"] = "bfloat16" if multiplies_bfloat16() else "float32"
    config = Config(
        encoder=EncoderConfig(precision=precision, convolution=of_device("cpu", precision) or "direct"),
        training=TrainingConfig(epochs=arguments.epochs, early_stopping_thresh=0.0),
    )
    warm_up(config, torch.device("cpu"))
    rungs = [Rung(images=images) for images in arguments.images]
    for number, architecture in enumerate(itertools.islice(draw(space, arguments.seed), arguments.architectures), 1):
        outcome = evaluate(architecture, data, config, number, "cpu", rungs=rungs, on_embedding=look)
        if not isinstance(outcome, Evaluated) or outcome.rungs is None:
            raise SystemExit(str(outcome))
        row = Row(space.graph(architecture).gflops, outcome.reward, outcome.rungs.scores)
        print(f"{row} | {architecture}", flush=True)
        yield row


def penalised(arguments: argparse.Namespace) -> None:
    """Rank correlations with the reward by penalty, after each architecture."""
    scores: dict[tuple[int, float], list[float]] = {}
    rewards: list[float] = []

    def score(embedded: EmbeddedData) -> None:
        train = embedded.splits["train"]
        rows = torch.randperm(len(train.y), generator=generator(len(rewards), "rows"))
        for images, penalty in itertools.product(arguments.images, arguments.penalties):
            x, y = train.x[rows[:images]], train.y[rows[:images]]
            found = scores.setdefault((images, penalty), [])
            found.append(leave_one_out_accuracies(x, y, int(train.y.max()) + 1, penalty)[1])

    for row in evaluated(arguments, score):
        rewards.append(row.reward)
        if len(rewards) > 1:
            print(f"\n| images | {' | '.join(f'{penalty:g}' for penalty in arguments.penalties)} |")
            print(f"| --- |{' --- |' * len(arguments.penalties)}")
            for images in arguments.images:
                found = (rank_correlation(scores[images, penalty], rewards) for penalty in arguments.penalties)
                print(f"| {images:,} | {' | '.join(f'{each:.3f}' for each in found)} |", flush=True)


def cut(data: Data, split: str, rows: int) -> ImageSplit:
    return data.splits[split].take(torch.arange(min(rows, len(data.splits[split]))))


def ranked(rows: Sequence[Row], images: Sequence[int], keep: Sequence[float]) -> None:
    """How each rung ranks them, were all of them to reach it."""
    rewards = [row.reward for row in rows]
    best = set(sorted(range(len(rows)), key=lambda n: -rewards[n])[: max(1, len(rows) // 10)])
    print("| images | rank correlation (Spearman) | best tenth kept | reward minus score |")
    print("| --- | --- | --- | --- |")
    for place, (number, share) in enumerate(zip(images, keep, strict=True)):
        scores = [row.scores[place] for row in rows]
        kept = set(sorted(range(len(rows)), key=lambda n: -scores[n])[: max(1, round(share * len(rows)))])
        gains = [100 * (reward - score) for reward, score in zip(rewards, scores, strict=True)]
        print(
            f"| {number:,} | {rank_correlation(scores, rewards):.3f} | {len(best & kept)} of {len(best)} in the best "
            f"{share:.0%} | {np.mean(gains):+.1f} ± {np.std(gains):.1f} points |"
        )


def searched(rows: Sequence[Row], config: RungsConfig, samples: int) -> tuple[float, int, int, float]:
    """Put rungs to a sequence.

    Returns:
        Share of the operations; of the best tenth, how many were evaluated whole, and how many there are; rank
        correlation of the rewards with those without rungs, estimates included.
    """
    rungs, spent, whole, learned = Rungs(config), 0.0, set[int](), []
    for number, row in enumerate(rows):
        images, cut_at = float(samples) * (1 + BEHIND), None
        for rung, score in zip(rungs.order(number), row.scores, strict=True):
            if rung.floor is not None and score < rung.floor:
                images, cut_at = float(rung.images), rung
                break
        reached = row.scores if cut_at is None else row.scores[: config.images.index(cut_at.images) + 1]
        reward = row.reward if cut_at is None else estimate(reached[-1], cut_at.gain)
        rungs.add(number + 1, reward, RungScores(scores=reached, cut=cut_at is not None))
        spent += images * row.gflops
        learned.append(reward)
        if cut_at is None:
            whole.add(number)
    best = set(sorted(range(len(rows)), key=lambda n: -rows[n].reward)[: max(1, len(rows) // 10)])
    share = spent / (samples * (1 + BEHIND) * sum(row.gflops for row in rows))
    return share, len(best & whole), len(best), rank_correlation(learned, [row.reward for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--architectures", type=int, default=60)
    parser.add_argument("--max-gflops", type=float, default=0.06, help="of an architecture, for one image")
    parser.add_argument("--samples", type=int, default=3000, help="training images that count as all")
    parser.add_argument("--validation", type=int, default=1000)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 1500])
    parser.add_argument("--keep", type=float, nargs="+", default=[0.33, 0.5])
    parser.add_argument("--after", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--penalties", type=float, nargs="+", help="of the ridge regression, to be compared")
    parser.add_argument("--again", type=Path, help="rows that were printed before")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.penalties:
        penalised(arguments)
        return
    if arguments.again is None:
        rows = list(evaluated(arguments))
    else:
        lines = arguments.again.read_text(encoding="utf-8").splitlines()
        rows = [Row.read(line) for line in lines if "| [" in line]
    print()
    ranked(rows, arguments.images, arguments.keep)
    config = RungsConfig(images=tuple(arguments.images), keep=tuple(arguments.keep), after=arguments.after)
    orders = [np.random.default_rng(seed).permutation(len(rows)) for seed in range(100)]
    found = [searched([rows[number] for number in order], config, arguments.samples) for order in orders]
    share, kept, of, correlation = np.mean(np.array(found), axis=0)
    print(
        f"\nAs a search would, over 100 orders: {100 * share:.0f} % of the operations ({1 / share:.1f} times fewer), "
        f"{kept:.2f} of the best {of:.0f} evaluated whole, rank correlation of what is learned {correlation:.3f}"
    )


if __name__ == "__main__":
    main()
