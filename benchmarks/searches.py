"""A whole search with rungs beside the same search without, on the paper's space.

    python -m benchmarks.searches [--seeds 3] [--samples 8000] [--max-gflops 0.1] [--trials 50 15 15]

Q-learning with epsilon 1, 0.5 and 0.1, without daemon and without processes. A search sees `--samples` training images
of FashionMNIST and 1,000 that validate. In the end the best architecture that was evaluated whole is evaluated on all
test images, `--repeats` times with fresh weights, so that no search profits from a lucky draw. Operations are those of
the images that passed an encoder.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402

from benchmarks.architectures import load_data  # noqa: E402
from nasd import rooms  # noqa: E402
from nasd.box.processor import multiplies_bfloat16  # noqa: E402
from nasd.config import Config  # noqa: E402
from nasd.data import Data  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402
from nasd.seeding import trial_seed  # noqa: E402


@dataclass(frozen=True)
class Trial:
    """An evaluation of a search."""

    net: str
    gflop: float  # of all images that passed
    reward: float
    cut: bool


def searched(config: Config, data: Data) -> Iterator[Trial]:
    """Every evaluation of a search, in order."""
    space = rooms.space(config)
    strategy = rooms.strategy(config, space)
    planner: Any = rooms.planners(config, Path())["deep_prior"]
    whole, observed = sum(map(len, data.splits.values())), 0
    while not strategy.finished:
        (proposal,) = strategy.propose(1)
        outcome = None
        if proposal.kind == "evaluate":
            architecture = space.parse(proposal.net)
            order = planner.trial(proposal.net, proposal.number, after=observed, keep_above=None)
            outcome = evaluate(architecture, data, config, order.seed, "cpu", rungs=order.rungs)
            if not isinstance(outcome, Evaluated):
                raise SystemExit(f"{proposal.net}: {outcome.reason}")
            scores = outcome.rungs
            cut = scores is not None and scores.cut
            images = order.rungs[len(scores.scores) - 1].images if scores and cut else whole
            yield Trial(proposal.net, images * space.graph(architecture).gflops, outcome.reward, cut)
        observed += 1
        strategy.observe(proposal, outcome)
        planner.observed(proposal.number, observed, outcome)


def tested(net: str, config: Config, data: Data, repeats: int) -> list[float]:
    """Test accuracies in percent, each with weights, order and shuffles of its own."""
    found = []
    for repeat in range(repeats):
        seed = trial_seed(config.seed, 1_000_000 + repeat)
        outcome = evaluate(rooms.space(config).parse(net), data, config, seed, "cpu")
        if not isinstance(outcome, Evaluated) or outcome.test_accuracy is None:
            raise SystemExit(f"{net}: {outcome}")
        found.append(100 * outcome.test_accuracy)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=8000, help="training images")
    parser.add_argument("--trials", type=int, nargs=3, default=[50, 15, 15], help="at epsilon 1, 0.5 and 0.1")
    parser.add_argument("--max-gflops", type=float, default=0.1, help="of an architecture, for one image")
    parser.add_argument("--images", type=int, nargs="+", default=[500, 1500], help="of each rung")
    parser.add_argument("--keep", type=float, nargs="+", default=[0.33, 0.5])
    parser.add_argument("--after", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    everything = load_data(arguments.data, arguments.samples)
    validation = everything.validation.take(torch.arange(min(1000, len(everything.validation))))
    data = replace(everything, validation=validation, test=everything.test.take(torch.arange(128)))
    rungs = {"images": arguments.images, "keep": arguments.keep, "after": arguments.after}
    precision: Literal["bfloat16", "float32"] = "bfloat16" if multiplies_bfloat16() else "float32"
    print("| seed | rungs | evaluations | stopped early | TFLOP | minutes | best reward | its test accuracy, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(1, arguments.seeds + 1):
        for chosen in (None, rungs):
            config = Config.model_validate(
                {
                    "seed": seed,
                    "space": {"patch_size": data.image_size, "max_gflops": arguments.max_gflops},
                    "search": {"epsilon_schedule": list(zip((1.0, 0.5, 0.1), arguments.trials, strict=True))},
                    "evaluation": {"kind": "deep_prior", "rungs": chosen},
                    "encoder": {"precision": precision},
                    "training": {"epochs": arguments.epochs},
                }
            )
            warm_up(config, torch.device("cpu"))
            began = time.perf_counter()
            trials = list(searched(config, data))
            minutes = (time.perf_counter() - began) / 60
            best = max((trial for trial in trials if not trial.cut), key=lambda trial: trial.reward)
            accuracies = tested(best.net, config, everything, arguments.repeats)
            print(
                f"| {seed} | {'yes' if chosen else 'no'} | {len(trials)} | {sum(trial.cut for trial in trials)} "
                f"| {sum(trial.gflop for trial in trials) / 1000:.1f} | {minutes:.0f} | {100 * best.reward:.1f} "
                f"| {statistics.fmean(accuracies):.2f} ± {statistics.stdev(accuracies) / len(accuracies) ** 0.5:.2f} "
                f"| {best.net}",
                flush=True,
            )


if __name__ == "__main__":
    main()
