"""Predicted against measured peak memory, of a forward pass and of a training step, for sampled architectures.

    python -m benchmarks.memory [--architectures 50] [--device cuda]

On a GPU the peak is the allocator's. On the CPU it is what the resident set of a process of its own grows by, with a
small pass before, so that library code is there already. The row to beat is the published heuristic: 32 bits for each
value of an activation and each weight, times 4, plus 1 GB.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from torch.nn import functional

from nasd.config import EncoderConfig, LayersConfig
from nasd.data import Data, ImageSplit
from nasd.evaluators.memory import pass_bytes
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.network import Network
from nasd.evaluators.step_memory import step_bytes
from nasd.spaces.layers import Architecture, SearchSpace, build_graph, conv_weights

GB, SIDE, CHANNELS = 10**9, 28, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architectures", type=int, default=50)
    parser.add_argument("--samples", type=int, default=128, help="images a pass")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--features", type=int, nargs="+", help="16 ... 1024 on a GPU, 16 ... 64 on the CPU")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        for net in options.measure:
            print(json.dumps(measure(net, options.samples, options.device)), flush=True)
        return
    features = options.features or ([16, 32, 64] if options.device == "cpu" else [16, 32, 64, 128, 256, 512, 1024])
    rows = in_own_process(sample(options.architectures, tuple(features)), options.samples, options.device)
    for what in ("pass", "step"):
        report(f"{what}, predicted", [(row[f"{what}_predicted"], row[f"{what}_measured"]) for row in rows])
        report(f"{what}, published heuristic", [(row["heuristic"], row[f"{what}_measured"]) for row in rows])


def sample(count: int, features: tuple[int, ...]) -> list[str]:
    """Different feasible architectures, drawn as a search with epsilon 1 draws them."""
    space, random = SearchSpace(LayersConfig(conv_features=features)), Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        states = [space.start()]
        while not states[-1].terminate:
            states.append(random.choice(space.actions(states[-1])))
        architecture = space.architecture(tuple(states[1:]))
        if space.feasible(architecture) is None:
            found[str(architecture)] = None
    return list(found)


def in_own_process(nets: list[str], samples: int, device: str) -> list[dict[str, float]]:
    """Measurements, as many as come; the last words of a process that fails are printed."""
    command = [sys.executable, "-m", "benchmarks.memory", "--samples", str(samples), "--device", device, "--measure"]
    # What is freed goes back to the system at once, and threads do not keep memory of their own.
    malloc = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, *nets], capture_output=True, text=True, env=os.environ | malloc, cwd=root, check=False
    )
    if done.returncode:
        print((done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1], file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(net: str, samples: int, device: str) -> dict[str, float]:
    """All of one architecture, in bytes."""
    torch.set_num_threads(1)
    architecture = SearchSpace(LayersConfig()).parse(net)
    with torch.device("meta"):
        network = Network(architecture, CHANNELS, EncoderConfig(), 0.0)
    data = shapes()
    row: dict[str, float] = {
        "heuristic": heuristic(architecture, samples),
        "pass_predicted": pass_bytes(network.encoder, data, samples, device),
        "step_predicted": step_bytes(network, data, samples),
    }
    network.to_empty(device=device)
    network.initialise(1)
    network.train()
    images = torch.randint(0, 256, (samples, CHANNELS, SIDE, SIDE), dtype=torch.uint8, device=device)
    labels = torch.randint(0, 10, (samples,), device=device)

    def forward(count: int) -> None:
        with torch.inference_mode():
            network.encoder(to_input(images[:count]))

    def step(count: int) -> None:
        functional.cross_entropy(network(to_input(images[:count])), labels[:count]).backward()

    for name, work in (("pass", forward), ("step", step)):
        work(2)
        network.zero_grad(set_to_none=True)
        row[f"{name}_measured"] = peak(work, samples, device)
    return row


def peak(work: Callable[[int], None], samples: int, device: str) -> int:
    """Bytes that are taken at most beyond what is taken before."""
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work(samples)
        return torch.cuda.max_memory_allocated() - before
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    work(samples)
    return status("VmHWM") - before


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def heuristic(architecture: Architecture, samples: int) -> int:
    """As published: all activations and weights are held, 32 bits each, times 4, plus 1 GB."""
    nodes = build_graph(architecture, CHANNELS, SIDE).nodes
    activations = sum(math.prod(node.shape) for node in nodes if len(node.shape) == 3)
    return 4 * 4 * (samples * activations + conv_weights(architecture, CHANNELS)) + GB


def shapes() -> Data:
    """A data set without samples: what predictions ask for."""
    none = torch.empty(0, dtype=torch.int64)
    empty = ImageSplit(torch.empty((0, CHANNELS, SIDE, SIDE), dtype=torch.uint8), none, none)
    return Data("none", empty, empty, empty, tuple("0123456789"), ())


def report(name: str, pairs: list[tuple[float, float]]) -> None:
    """How far predictions are off, as a share of what was measured; negative: too low."""
    errors = sorted(predicted / measured - 1 for predicted, measured in pairs)
    within = sum(abs(error) <= 0.1 for error in errors) / len(errors)
    below = sum(error < -0.05 for error in errors)
    print(
        f"{name:28} {len(errors)} architectures: within 10 % {within:.0%}, more than 5 % too low {below}, "
        f"error {errors[0]:+.1%} to {errors[-1]:+.1%}, median {statistics.median(errors):+.1%}"
    )


if __name__ == "__main__":
    main()
