"""The classifier's epoch on a GPU: as one CUDA graph, and call by call.

    python -m benchmarks.graphs [--samples 54000] [--values 400 3136 16384] [--epochs 20]

Both train on the same embedding, of noise, in the same order; the weights must be equal, bit for bit. On a CPU, where
there are no graphs, the same steps run beside the loops that an evaluation takes there, which add up in another order.
Bytes are those that cannot be avoided: the training embedding once.
"""

import argparse
import time

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402

from nasd.config import TrainingConfig  # noqa: E402
from nasd.evaluators.deep_prior import probe_gpu  # noqa: E402
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit  # noqa: E402
from nasd.evaluators.deep_prior.probe import _steps_on, initial_weight  # noqa: E402
from nasd.evaluators.deep_prior.probe_steps import Start, Steps  # noqa: E402
from nasd.evaluators.seeding import generator  # noqa: E402

CLASSES = 10


def noise(rows: int, values: int, dtype: torch.dtype, device: str) -> EmbeddedSplit:
    seed = generator(rows, "noise")
    labels = torch.randint(CLASSES, (rows,), generator=seed).to(device)
    return EmbeddedSplit(torch.rand((rows, values), generator=seed).to(device, dtype), labels, labels)


def epochs(steps: Steps, samples: int, number: int) -> float:
    """Seconds of an epoch, the first two of which are not counted: they load libraries and record the graph."""
    shuffles, began = generator(1, "shuffles"), 0.0
    for epoch in range(number + 2):
        if epoch == 2:
            steps.result.tolist()  # waits for the device
            began = time.perf_counter()
        steps.epoch(torch.randperm(samples, generator=shuffles))
    steps.result.tolist()
    return (time.perf_counter() - began) / number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=54_000)
    parser.add_argument("--values", type=int, nargs="+", default=[400, 3136, 16_384])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    recorded, beside = probe_gpu.recorded, "graph" if arguments.device != "cpu" else "loops"
    print(f"| values | precision | call by call, ms | {beside}, ms | times as fast | GB/s | largest difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for values in arguments.values:
        for dtype in (torch.float32, torch.bfloat16):
            train = noise(arguments.samples, values, dtype, arguments.device)
            validation = noise(max(1, arguments.samples // 9), values, dtype, arguments.device)
            weight = initial_weight(CLASSES, values, 1)
            start = Start(train, validation, CLASSES, TrainingConfig(), weight, [1e-3])
            probe_gpu.recorded = lambda work: work
            plain = probe_gpu.GpuSteps(start)
            slow = epochs(plain, arguments.samples, arguments.epochs)
            probe_gpu.recorded = recorded
            steps = _steps_on(train.x.device)(start)
            fast = epochs(steps, arguments.samples, arguments.epochs)
            difference = float((steps.weight - plain.weight).abs().max())
            print(
                f"| {values:,} | {str(dtype).removeprefix('torch.')} | {1e3 * slow:.2f} | {1e3 * fast:.2f} "
                f"| {slow / fast:.1f} | {train.x.nbytes / fast / 1e9:.1f} | {difference:.1g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
