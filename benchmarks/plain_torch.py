"""The same evaluation as an expert writes it in forty lines of plain torch, beside ours.

    python -m benchmarks.plain_torch [--only NAME ...] [--samples 6000] [--epochs 5] [--threads 1] [--compiled] [--fft]

`plain` is what a user would write instead of starting nasd: images and embeddings in memory, no `DataLoader`,
channels-last convolutions, bfloat16 by autocast where that is asked for, a classifier by `torch.optim.Adam`, whole
splits validated at once; with `--compiled` encoder and training step by `torch.compile`, whose compilation is not
counted. It does less than ours: no early stop, no checks, no memory prediction, training statistics not averaged from
the first mini-batch on. With `--fft` ours convolves by Fourier transform where that was measured to be faster.

Both ways are given `--samples` training images and the same share of the other splits. Times are extrapolated to all
images and to 70 epochs; each way runs `--repeats` times in turn, and the shorter time counts. With `--threads 1` on a
CPU they are processor time, so that other work on the machine distorts them little. Accuracies are those of the test
images after `--epochs` epochs, each way with weights of its own.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from benchmarks.architectures import ARCHITECTURES, load_data, parse  # noqa: E402
from benchmarks.evaluator import Clock  # noqa: E402
from benchmarks.published_pipeline import BATCH, EPOCHS, Precision, network  # noqa: E402
from nasd.config import Config, EncoderConfig, TrainingConfig  # noqa: E402
from nasd.data import Data, ImageSplit  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.fft_table import of_device  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402
from nasd.spaces.layers import Architecture  # noqa: E402


@dataclass(frozen=True)
class Timed:
    """Seconds of the encoder and of all epochs, and the test accuracy as a fraction."""

    encode: float
    train: float
    accuracy: float


def plain(
    architecture: Architecture, data: Data, epochs: int, seed: int, precision: Precision, *, compiled: bool
) -> Timed:
    """Evaluate a deep prior in plain torch."""
    torch.manual_seed(seed)
    device = data.train.images.device
    encoder = network(architecture, data.channels).to(device)
    linear = nn.Linear(architecture.embedding_dim, data.num_classes, bias=False, device=device)
    adam = torch.optim.Adam(linear.parameters(), 1e-3, fused=True)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32

    def embed(images: Tensor) -> Tensor:
        x = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return encoder(x)

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(linear(x.float()), y)

    if compiled:
        embed, loss_of = torch.compile(embed), torch.compile(loss_of)
        with torch.inference_mode():
            embed(data.train.images[:BATCH])
        loss_of(torch.zeros(BATCH, architecture.embedding_dim, device=device), data.train.labels[:BATCH]).backward()

    began = Clock.now()
    embedded: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, split in data.splits.items():
            encoder.train(name == "train")
            order = torch.randperm(len(split)) if name == "train" else torch.arange(len(split))
            embedded[name] = torch.empty(len(split), architecture.embedding_dim, dtype=dtype, device=device)
            for rows in order.to(device).split(BATCH):
                embedded[name][rows] = embed(split.images[rows]).to(dtype)
    synchronize(device)
    encoded = Clock.now()

    def accuracy(name: str) -> float:
        with torch.no_grad():
            right = [
                (linear(x.float()).argmax(1) == y).float().sum()
                for x, y in zip(embedded[name].split(8192), data.splits[name].labels.split(8192), strict=True)
            ]
        return float(sum(right)) / len(embedded[name])

    for _ in range(epochs):
        for rows in torch.randperm(len(data.train), device=device).split(BATCH):
            adam.zero_grad()
            loss_of(embedded["train"][rows], data.train.labels[rows]).backward()
            adam.step()
        accuracy("val")
    tested = accuracy("test")
    synchronize(device)
    return Timed(encoded - began, Clock.now() - encoded, tested)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ours(architecture: Architecture, data: Data, epochs: int, seed: int, encoder: EncoderConfig) -> Timed:
    config = Config(encoder=encoder, training=TrainingConfig(epochs=epochs, early_stopping_thresh=0.0))
    marks = {"began": Clock.now()}

    def mark(stage: str, *_: object) -> None:
        marks.setdefault(stage, Clock.now())  # when it begins

    outcome = evaluate(architecture, data, config, seed, data.train.images.device, progress=mark)
    if not isinstance(outcome, Evaluated) or outcome.test_accuracy is None:
        raise SystemExit(outcome.reason if not isinstance(outcome, Evaluated) else "stopped early")
    return Timed(marks["train"] - marks["began"], Clock.now() - marks["train"], outcome.test_accuracy)


def part(data: Data, share: float) -> Data:
    """The first rows of the validation and test split; the training split is cut already."""

    def cut(split: ImageSplit) -> ImageSplit:
        rows = max(BATCH, round(share * len(split)))
        return ImageSplit(split.images[:rows], split.labels[:rows], split.index[:rows])

    return replace(data, validation=cut(data.validation), test=cut(data.test))


def best(runs: list[Timed]) -> Timed:
    return Timed(min(run.encode for run in runs), min(run.train for run in runs), runs[0].accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--only", nargs="+", choices=[*ARCHITECTURES, "median"], default=["tiny", "A"])
    parser.add_argument("--samples", type=int, default=6000, help="training images")
    parser.add_argument("--of", type=int, default=54_000, help="training images to which times are extrapolated")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--fft", action="store_true", help="ours by FFT where that is faster")
    parser.add_argument("--compiled", action="store_true", help="plain torch by torch.compile")
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    if arguments.threads == 1 and arguments.device == "cpu":
        Clock.now = staticmethod(time.process_time)
    data = load_data(arguments.data, arguments.samples)
    whole = arguments.of / len(data.train)
    data = part(data, 1 / whole).to(arguments.device)
    warm_up(Config(encoder=EncoderConfig(precision=arguments.precision)), torch.device(arguments.device))
    table = of_device(arguments.device, arguments.precision) if arguments.fft else ()
    encoder = EncoderConfig(precision=arguments.precision, convolution=table or "direct")
    ways = {
        "plain torch": lambda net: plain(
            net, data, arguments.epochs, 1, arguments.precision, compiled=arguments.compiled
        ),
        "nasd": lambda net: ours(net, data, arguments.epochs, 1, encoder),
    }
    print(f"{arguments.precision}, {torch.get_num_threads()} threads, {len(data.train):,} training images\n")
    print("| architecture | way | encode | an epoch | 70 epochs in all | times as fast | test accuracy, % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.only:
        net = parse(name, data)
        runs: dict[str, list[Timed]] = {way: [] for way in ways}
        for _ in range(arguments.repeats):
            for way, run in ways.items():
                runs[way].append(run(net))
        totals: list[float] = []
        for way, timed in runs.items():
            fastest = best(timed)
            encode, epoch = whole * fastest.encode, whole * fastest.train / arguments.epochs
            totals.append(encode + EPOCHS * epoch)
            ratio = f"**{totals[0] / totals[-1]:.1f}**" if len(totals) > 1 else ""
            print(
                f"| {name} | {way} | {encode:.1f} s | {epoch:.3f} s | {totals[-1]:.0f} s "
                f"| {ratio} | {100 * fastest.accuracy:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
