"""A whole search with rungs, and with convolutions by FFT, beside the same search without, on the paper's space.

    python -m benchmarks.searches [--seeds 3] [--samples 3000] [--features 32 64] [--max-gflops 0.1] [--trials 30 10 10]
    python -m benchmarks.searches --ways whole rungs+fft --max-gflops 5 --samples 4000
    python -m benchmarks.searches --device cuda --samples 54000 --ways whole --seeds 1 --minutes 2 --repeats 0

Q-learning with epsilon 1, 0.5 and 0.1, without daemon and without processes. A search sees `--samples` training images
of FashionMNIST and `--validation` that validate. In the end the best architecture that was evaluated whole is evaluated
on all test images, `--repeats` times with fresh weights, so that no search profits from a lucky draw. Operations are
those of the images that passed an encoder, as direct convolutions count them. Minutes are processor time on a CPU, so
that other work distorts them little. A search ends before its time after `--minutes` on the clock.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402

from benchmarks.architectures import load_data  # noqa: E402
from nasd import rooms  # noqa: E402
from nasd.box.processor import multiplies_bfloat16  # noqa: E402
from nasd.config import Config  # noqa: E402
from nasd.data import Data  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.fft_table import of_device  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402
from nasd.seeding import trial_seed  # noqa: E402

WAYS = ("whole", "rungs", "whole+fft", "rungs+fft")


@dataclass(frozen=True)
class Trial:
    """An evaluation of a search."""

    net: str
    gflop: float  # of all images that passed
    reward: float
    cut: bool


def searched(config: Config, data: Data, device: str) -> Iterator[Trial]:
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
            outcome = evaluate(architecture, data, config, order.seed, device, rungs=order.rungs)
            if not isinstance(outcome, Evaluated):
                raise SystemExit(f"{proposal.net}: {outcome.reason}")
            scores = outcome.rungs
            cut = scores is not None and scores.cut
            images = order.rungs[len(scores.scores) - 1].images if scores and cut else whole
            yield Trial(proposal.net, images * space.graph(architecture).gflops, outcome.reward, cut)
        observed += 1
        strategy.observe(proposal, outcome)
        planner.observed(proposal.number, observed, outcome)


def tested(net: str, config: Config, data: Data, repeats: int, device: str) -> list[float]:
    """Test accuracies in percent, each with weights, order and shuffles of its own."""
    found = []
    for repeat in range(repeats):
        seed = trial_seed(config.seed, 1_000_000 + repeat)
        outcome = evaluate(rooms.space(config).parse(net), data, config, seed, device)
        if not isinstance(outcome, Evaluated) or outcome.test_accuracy is None:
            raise SystemExit(f"{net}: {outcome}")
        found.append(100 * outcome.test_accuracy)
    return found


def within(trials: Iterator[Trial], minutes: float) -> list[Trial]:
    """Those that end in time."""
    until, found = time.monotonic() + 60 * minutes, []
    for trial in trials:
        found.append(trial)
        if time.monotonic() > until:
            break
    return found


def shown(accuracies: list[float]) -> str:
    """Mean and standard error."""
    if len(accuracies) < 2:
        return ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    return f"{statistics.fmean(accuracies):.2f} ± {statistics.stdev(accuracies) / len(accuracies) ** 0.5:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["whole", "rungs"])
    parser.add_argument("--samples", type=int, default=3000, help="training images")
    parser.add_argument("--validation", type=int, default=500, help="images")
    parser.add_argument("--trials", type=int, nargs=3, default=[30, 10, 10], help="at epsilon 1, 0.5 and 0.1")
    parser.add_argument("--minutes", type=float, default=600.0, help="of a search, at most")
    parser.add_argument("--features", type=int, nargs="+", help="of a layer; else those of the paper")
    parser.add_argument("--max-gflops", type=float, help="of an architecture, for one image")
    parser.add_argument("--images", type=int, nargs="+", default=[300, 1000], help="of each rung")
    parser.add_argument("--keep", type=float, nargs="+", default=[0.33, 0.5])
    parser.add_argument("--after", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    everything = load_data(arguments.data, arguments.samples).to(arguments.device)
    first = torch.arange(min(arguments.validation, len(everything.validation)), device=arguments.device)
    data = replace(everything, validation=everything.validation.take(first), test=everything.test.take(first[:128]))
    whole_test = replace(data, test=everything.test)
    precision = arguments.precision or ("bfloat16" if multiplies_bfloat16() else "float32")
    limits = {"max_gflops": arguments.max_gflops, "conv_features": arguments.features}
    sections: dict[str, Any] = {
        "space": {name: value for name, value in limits.items() if value is not None},
        "search": {"epsilon_schedule": list(zip((1.0, 0.5, 0.1), arguments.trials, strict=True))},
        "training": {"epochs": arguments.epochs},
    }
    sections["space"]["patch_size"] = data.image_size
    now = time.process_time if arguments.device == "cpu" else time.perf_counter
    rungs = {"images": arguments.images, "keep": arguments.keep, "after": arguments.after}
    print(
        "| seed | way | evaluations | stopped early | TFLOP | minutes | TFLOP/s | best reward | its test accuracy, % |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(1, arguments.seeds + 1):
        for way in arguments.ways:
            evaluation = {"kind": "deep_prior", "rungs": rungs if way.startswith("rungs") else None}
            table = of_device(arguments.device, precision) if way.endswith("+fft") else ()
            encoder = {"precision": precision, "convolution": table or "direct"}
            config = Config.model_validate({"seed": seed, "evaluation": evaluation, "encoder": encoder, **sections})
            warm_up(config, torch.device(arguments.device))
            began = now()
            trials = within(searched(config, data, arguments.device), arguments.minutes)
            minutes = (now() - began) / 60
            best = max((trial for trial in trials if not trial.cut), key=lambda trial: trial.reward)
            accuracies = tested(best.net, config, whole_test, arguments.repeats, arguments.device)
            work = sum(trial.gflop for trial in trials) / 1000
            print(
                f"| {seed} | {way} | {len(trials)} | {sum(trial.cut for trial in trials)} | {work:.1f} "
                f"| {minutes:.1f} | {work / (60 * minutes):.2f} | {100 * best.reward:.1f} | {shown(accuracies)} |",
                flush=True,
            )
            print(f"best: {best.net}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
