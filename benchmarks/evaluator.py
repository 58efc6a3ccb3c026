"""How far every stage of an evaluation is from what the machine can do.

    python -m benchmarks.evaluator [--data DIR] [--only NAME ...] [--precision bfloat16] [--short]

For architectures that span the space: the time of each stage, the operations and bytes it needs, and the ratio to the
machine's own ceilings, measured in the same minutes. A stage's least time is the larger of operations / fastest
arithmetic and bytes / copy bandwidth; its ratio is least time / time. The encoder is besides compared with its own
convolutions alone: the same shapes, one after the other, in mini-batches on buffers that are already there.

`bytes` are those that cannot be avoided: images in, embeddings out and, for the classifier, every training embedding
once an epoch and every validation embedding once. Times are the smallest of some repetitions. With `--threads 1` on a
CPU they are processor time (but for the commit), so that other work on the machine distorts them little.
"""

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from benchmarks.architectures import ARCHITECTURES, load_data, parse  # noqa: E402
from nasd.config import Config, EncoderConfig  # noqa: E402
from nasd.data import Data, ImageSplit  # noqa: E402
from nasd.evaluators.deep_prior.embed import in_eval_mode, in_train_mode  # noqa: E402
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit, OnHost  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import _build  # noqa: E402
from nasd.evaluators.deep_prior.probe import Classifier, train_classifiers  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.evaluators.mini_batches import to_input  # noqa: E402
from nasd.evaluators.networks.encoder import Encoder  # noqa: E402
from nasd.evaluators.threads import one_thread_each, threads_on  # noqa: E402
from nasd.spaces.layers import Architecture  # noqa: E402
from store import embeddings  # noqa: E402

BATCH = 128
EPOCHS = 70


class Clock:
    """Seconds on the wall, or of the processor where one thread does all the work."""

    now: Callable[[], float] = staticmethod(time.perf_counter)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The smallest of some times, after one run that does not count."""
    work()
    times = []
    for _ in range(repeats):
        synchronize()
        began = Clock.now()
        work()
        synchronize()
        times.append(Clock.now() - began)
    return min(times)


@dataclass(frozen=True)
class Ceilings:
    """What the machine reaches, in operations and bytes a second."""

    product: float
    convolution: float
    copy: float

    @property
    def arithmetic(self) -> float:
        return max(self.product, self.convolution)


def measure_ceilings(device: str, precision: str) -> Ceilings:
    """A large matrix product, a 256 -> 256 3x3 convolution at 14x14, a copy far larger than the caches."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    side = 4096 if device == "cpu" else 16384
    a = torch.randn(side, side, device=device, dtype=dtype)
    batch = BATCH if device == "cpu" else 32 * BATCH
    x = torch.randn(batch, 256, 14, 14, device=device).to(dtype, memory_format=torch.channels_last)
    w = torch.randn(256, 256, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
    source = torch.ones(1 << 28, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "tf32"):
            return Ceilings(
                product=2 * side**3 / seconds(lambda: a @ a, 2),
                convolution=2
                * batch
                * 14
                * 14
                * 256
                * 256
                * 9
                / seconds(lambda: nn.functional.conv2d(x, w, padding=1)),
                copy=2 * source.nbytes / seconds(lambda: target.copy_(source)),
            )
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def convolutions(encoder: Encoder, images: Tensor) -> list[tuple[nn.Conv2d, Tensor]]:
    """Every convolution with an input as it gets it."""
    found: list[tuple[nn.Conv2d, Tensor]] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: found.append((module, inputs[0].clone())))
        for module in encoder.modules()
        if isinstance(module, nn.Conv2d)
    ]
    encoder(images)
    for hook in hooks:
        hook.remove()
    return found


@dataclass
class Stage:
    """What a stage takes and needs."""

    name: str
    seconds: float
    operations: float
    bytes: float

    def row(self, architecture: str, ceilings: Ceilings, beside: str = "") -> str:
        least = max(self.operations / ceilings.arithmetic, self.bytes / ceilings.copy)
        ratio = f"{100 * least / self.seconds:.0f} %" if least else ""
        return (
            f"| {architecture} | {self.name} | {self.seconds:.3f} | {self.operations / 1e9:,.1f} "
            f"| {self.bytes / 1e6:,.0f} | {self.operations / self.seconds / 1e9:,.0f} "
            f"| {self.bytes / self.seconds / 1e9:.2f} | {ratio} | {beside} |"
        )


def encode_part(encoder: Encoder, split: ImageSplit, out: Tensor, *, train: bool) -> float:
    """Seconds that a whole split takes, on a CPU from a part of it."""
    threads = threads_on(out.device)
    rows = torch.arange(len(split) if out.is_cuda else min(len(split), 16 * BATCH))  # a graph is recorded once
    part = ImageSplit(split.images[rows.to(out.device)], split.labels[: len(rows)], split.index[: len(rows)])

    @torch.inference_mode()
    @one_thread_each()
    def work() -> None:
        if train:
            for _ in in_train_mode(encoder, part.images, rows.split(BATCH), BATCH, out, threads):
                pass
        else:
            in_eval_mode(encoder.eval(), part, BATCH, out, threads)

    return seconds(work) * len(split) / len(rows)


def epoch_seconds(
    parts: tuple[EmbeddedSplit, EmbeddedSplit, EmbeddedSplit], data: Data, config: Config, classifiers: int, epochs: int
) -> list[float]:
    """Seconds of every epoch but the first."""
    training = config.training.model_copy(update={"epochs": epochs, "early_stopping_thresh": 0.0})
    marks: list[float] = []
    train_classifiers(
        *parts,
        data.num_classes,
        training,
        1,
        [Classifier(number, 1e-3) for number in range(classifiers)],
        lambda *_: marks.append(Clock.now()),
    )
    return [after - before for before, after in pairwise(marks)]


def measure(
    name: str, architecture: Architecture, data: Data, config: Config, device: str, ceilings: Ceilings, short: bool
) -> None:
    """Print the rows of one architecture."""
    stages: list[Stage] = []
    build = seconds(lambda: _build(architecture, data, config, 1, torch.device(device), None), 2)
    encoder, _, _ = _build(architecture, data, config, 1, torch.device(device), None)
    stages.append(Stage("build", build, 0, sum(parameter.nbytes for parameter in encoder.parameters())))

    with torch.no_grad():
        encoder.train()
        layers = convolutions(encoder, to_input(data.train.images[:BATCH]))
        operations = sum(
            2 * x[:1].numel() * m.weight.numel() // x.shape[1] // x.shape[2] // x.shape[3]
            * m(x[:1]).shape[2] * m(x[:1]).shape[3]
            for m, x in layers
        )  # fmt: skip
        splits = {"train": data.train, "val": data.validation, "test": data.test}
        outs = {
            key: torch.rand((len(split), encoder.embedding_dim), device=device, dtype=encoder.dtype)
            for key, split in splits.items()
        }
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=config.encoder.precision == "tf32"):
            alone = seconds(lambda: [module(x) for module, x in layers], 5) / len(layers[0][1])
        beside = {}
        for key, split in splits.items():
            taken = encode_part(encoder, split, outs[key], train=key == "train")
            stages.append(
                Stage(f"encode {key}", taken, operations * len(split), split.images.nbytes + outs[key].nbytes)
            )
            beside[f"encode {key}"] = f"{100 * alone * len(split) / taken:.0f} %"
    train, validation, test = (EmbeddedSplit(x, splits[key].labels, splits[key].index) for key, x in outs.items())
    parts = (train, validation, test)
    epochs = epoch_seconds(parts, data, config, 1, 5 if device == "cpu" else EPOCHS)
    epoch = min(epochs)
    outputs = data.num_classes * architecture.embedding_dim
    per_epoch = Stage(
        "classifier, an epoch",
        epoch,
        2 * outputs * (2 * len(train.y) + len(validation.y)),
        train.x.nbytes + validation.x.nbytes,
    )
    stages.append(per_epoch)
    stages.append(
        Stage(
            f"classifier, {EPOCHS} epochs", EPOCHS * statistics.median(epochs), EPOCHS * per_epoch.operations,
            EPOCHS * per_epoch.bytes,
        )
    )  # fmt: skip
    for stage in stages:
        print(stage.row(name, ceilings, beside.get(stage.name, "")), flush=True)
    if short:
        return
    if importlib.util.find_spec("zarr"):
        commit(name, {"train": train, "val": validation, "test": test}, ceilings)
    costs = [min(epoch_seconds(parts, data, config, count, 4)) / epoch for count in (2, 4, 8)]
    print(f"| {name} | 2, 4, 8 classifiers together: {costs[0]:.1f}, {costs[1]:.1f}, {costs[2]:.1f} times one |||||||")


def commit(name: str, splits: dict[str, EmbeddedSplit], ceilings: Ceilings) -> None:
    """Write the embedding as a kept trial's is: sorted, compressed, checksummed, synced."""
    arrays = {
        key: embeddings.Unwritten(OnHost(split.x), split.y.cpu().numpy(), split.index.cpu().numpy())
        for key, split in splits.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        embeddings.stage(Path(folder), arrays, {})
        taken = time.perf_counter() - began
    size = sum(4 * split.x.numel() for split in splits.values())  # written as float32
    print(Stage("commit (a kept embedding)", taken, 0, size).row(name, ceilings), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), default="tf32")
    parser.add_argument("--samples", type=int, help="take only so many training images")
    parser.add_argument("--short", action="store_true", help="three architectures, 12,000 training images, no commit")
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    if arguments.threads == 1 and arguments.device == "cpu":
        Clock.now = staticmethod(time.process_time)
    names = ["tiny", "A", "wrn"] if arguments.short else arguments.only
    samples = 12_000 if arguments.short else arguments.samples
    data = load_data(arguments.data, samples).to(arguments.device)
    config = Config(encoder=EncoderConfig(precision=arguments.precision))
    warm_up(config, torch.device(arguments.device))
    measured = dict.fromkeys(("float32", arguments.precision))
    ceilings = {precision: measure_ceilings(arguments.device, precision) for precision in measured}
    print(
        f"{arguments.device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {data.name}, "
        f"{len(data.train):,} training images, load average {os.getloadavg()[0]:.1f}\n"
    )
    for what, values in ceilings.items():
        print(
            f"Ceilings in {what}: matrix product {values.product / 1e9:,.0f} GFLOP/s, convolution "
            f"{values.convolution / 1e9:,.0f} GFLOP/s, copy {values.copy / 1e9:.1f} GB/s (read plus written)."
        )
    print("\n| architecture | stage | s | GFLOP | MB | GFLOP/s | GB/s | of the ceiling | of its convolutions alone |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        measure(name, parse(name, data), data, config, arguments.device, ceilings[arguments.precision], arguments.short)
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
