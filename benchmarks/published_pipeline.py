"""The published way to evaluate a deep prior next to ours, on the same images in the same minutes.

    python -m benchmarks.published_pipeline [--data DIR] [--epochs 3] [--only NAME ...] [--accuracy [--seeds 5]]

The published way, written anew from its description: the training split passes the random encoder in train mode, the
others in eval mode, and every embedding becomes a `.npy` file in the folder of its class; then each epoch reads all of
them back through a `DatasetFolder` and a `DataLoader` with two workers, trains a linear layer by autograd and
`torch.optim.Adam` on mini-batches of 128, validates, and tests. It is given what it does not owe to its design: images
resident in memory, channels-last convolutions, a warm page cache.

A few epochs are run; 70 are extrapolated from their median. `--accuracy` compares the test accuracies of both ways
after `--epochs` epochs, each over `--seeds` runs with weights and shuffles of their own.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nasd.box import tuning

tuning.prepare()  # before torch

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision.datasets import DatasetFolder  # noqa: E402

from benchmarks.architectures import ARCHITECTURES, load_data, parse  # noqa: E402
from nasd.config import Config, EncoderConfig, TrainingConfig  # noqa: E402
from nasd.data import Data, ImageSplit  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402
from nasd.spaces.layers import Architecture, State  # noqa: E402

Precision = Literal["float32", "bfloat16"]
EPOCHS = 70
BATCH = 128


class Block(nn.Module):
    """BN-ReLU-conv3x3 twice, plus the input or a 1x1 convolution of the pre-activated one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs, 1e-4), nn.BatchNorm2d(outputs, 1e-4)])
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            ]
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu(self.norms[0](x))
        out = self.convolutions[1](torch.relu(self.norms[1](self.convolutions[0](active))))
        return out + (x if self.skip is None else self.skip(active))


def network(architecture: Architecture, channels: int) -> nn.Sequential:
    """The encoder out of torch's own modules, with none of ours."""
    layers: list[nn.Module] = []

    def add(state: State) -> None:
        match state.layer_type:
            case "max_pool":
                layers.append(nn.MaxPool2d(state.filter_size, state.stride))
            case "wrn":
                layers.append(Block(channels, state.filter_depth))
            case _:
                layers.append(
                    nn.Conv2d(channels, state.filter_depth, state.filter_size, state.stride, state.padding, bias=False)
                )
                layers.extend([nn.BatchNorm2d(state.filter_depth, 1e-4), nn.ReLU(inplace=True)])

    for state in architecture.layers:
        add(state)
        channels = state.filter_depth
    built = nn.Sequential(*layers, nn.Flatten()).to(memory_format=torch.channels_last)
    for module in built.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return built


def load_npy(path: str) -> torch.Tensor:
    return torch.from_numpy(np.load(path))


@dataclass
class Timed:
    """Seconds, and the test accuracy at the end."""

    embed: float
    epochs: list[float] = field(default_factory=list)
    accuracy: float = 0.0

    @property
    def total(self) -> float:
        """Of 70 epochs; those that were not run are taken to last as long as the median of those that were."""
        return self.embed + EPOCHS * statistics.median(self.epochs)


def write(split: ImageSplit, embed: nn.Module, folder: Path, *, shuffle: bool, device: str) -> None:
    """Pass a split through the encoder and save each sample."""
    for label in split.labels.unique().tolist():
        (folder / str(label)).mkdir(parents=True)
    rows = torch.randperm(len(split)) if shuffle else torch.arange(len(split))
    with torch.no_grad():
        for chunk in rows.split(BATCH):
            images = split.images[chunk.to(device)].float().div_(255).to(memory_format=torch.channels_last)
            values = embed(images).cpu().numpy()
            for value, label, row in zip(values, split.labels[chunk.to(device)].tolist(), chunk.tolist(), strict=True):
                np.save(folder / str(label) / f"{row}.npy", value)


def published(architecture: Architecture, data: Data, epochs: int, seed: int, device: str, folder: Path) -> Timed:
    """Evaluate an architecture the published way."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    encoder = network(architecture, data.channels).to(device)
    encoder.train()
    write(data.train, encoder, folder / "train", shuffle=True, device=device)
    encoder.eval()
    write(data.validation, encoder, folder / "val", shuffle=False, device=device)
    write(data.test, encoder, folder / "test", shuffle=False, device=device)
    timed = Timed(time.perf_counter() - began)
    loaders = {
        name: DataLoader(
            DatasetFolder(str(folder / name), load_npy, extensions=(".npy",)),
            BATCH,
            shuffle=name == "train",
            num_workers=2,
            pin_memory=device != "cpu",
        )
        for name in ("train", "val", "test")
    }
    classifier = nn.Linear(architecture.embedding_dim, data.num_classes, bias=False).to(device)
    adam = torch.optim.Adam(classifier.parameters(), 1e-3)

    def accuracy(loader: DataLoader) -> float:
        hits = 0
        with torch.no_grad():
            for x, y in loader:
                hits += int((classifier(x.to(device)).argmax(1) == y.to(device)).sum())
        return hits / len(loader.dataset)

    for _ in range(epochs):
        began = time.perf_counter()
        for x, y in loaders["train"]:
            adam.zero_grad()
            nn.functional.cross_entropy(classifier(x.to(device)), y.to(device)).backward()
            adam.step()
        accuracy(loaders["val"])
        timed.accuracy = accuracy(loaders["test"])
        timed.epochs.append(time.perf_counter() - began)
    return timed


def ours(
    architecture: Architecture, data: Data, epochs: int, seed: int, device: str, precision: Precision = "float32"
) -> Timed:
    """Evaluate an architecture our way."""
    config = Config(encoder=EncoderConfig(precision=precision), training=TrainingConfig(epochs=epochs))
    outcome = evaluate(architecture, data, config, seed, device)
    if not isinstance(outcome, Evaluated):
        raise SystemExit(outcome.reason)
    measured = outcome.measured
    per_epoch = measured.train_seconds / epochs
    return Timed(measured.seconds - measured.train_seconds, [per_epoch] * epochs, outcome.test_accuracy or 0.0)


def in_a_folder(architecture: Architecture, data: Data, epochs: int, seed: int, device: str) -> Timed:
    folder = Path(tempfile.mkdtemp(prefix="published-"))
    try:
        return published(architecture, data, epochs, seed, device, folder)
    finally:
        shutil.rmtree(folder)


def compare_times(names: list[str], data: Data, epochs: int, device: str) -> None:
    precisions: list[Precision] = ["float32", "bfloat16"]
    for precision in precisions:
        warm_up(Config(encoder=EncoderConfig(precision=precision)), torch.device(device))
    print("| architecture | way | embed and write | an epoch | 70 epochs, extrapolated | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        architecture = parse(name, data)
        ours(architecture, data, 1, 0, device)  # brings libraries to life
        theirs = in_a_folder(architecture, data, epochs, 1, device)
        mine = {f"nasd, {one}": ours(architecture, data, max(epochs, 5), 1, device, one) for one in precisions}
        for way, timed in {"published": theirs, **mine}.items():
            ratio = f"**{theirs.total / timed.total:.1f}**" if way in mine else ""
            print(
                f"| {name} | {way} | {timed.embed:.1f} s | {statistics.median(timed.epochs):.3f} s "
                f"| {timed.total:.0f} s | {ratio} |",
                flush=True,
            )


def compare_accuracies(names: list[str], data: Data, epochs: int, seeds: int, device: str) -> None:
    print(f"Test accuracy in percent after {epochs} epochs, {seeds} seeds: mean ± standard error.\n")
    print("| architecture | nasd | published | difference | two standard errors of it | within |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        architecture = parse(name, data)
        mine = [100 * ours(architecture, data, epochs, seed, device).accuracy for seed in range(1, seeds + 1)]
        theirs = [100 * in_a_folder(architecture, data, epochs, seed, device).accuracy for seed in range(1, seeds + 1)]
        errors = [statistics.stdev(values) / seeds**0.5 for values in (mine, theirs)]
        difference = statistics.fmean(mine) - statistics.fmean(theirs)
        margin = 2 * (errors[0] ** 2 + errors[1] ** 2) ** 0.5
        print(
            f"| {name} | {statistics.fmean(mine):.2f} ± {errors[0]:.2f} | {statistics.fmean(theirs):.2f} ± "
            f"{errors[1]:.2f} | {difference:+.2f} | {margin:.2f} | {'yes' if abs(difference) <= margin else 'no'} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, help="take only so many training images")
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, default=["A"])
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    data = load_data(arguments.data, arguments.samples).to(arguments.device)
    if arguments.accuracy:
        compare_accuracies(arguments.only, data, arguments.epochs, arguments.seeds, arguments.device)
    else:
        compare_times(arguments.only, data, arguments.epochs, arguments.device)


if __name__ == "__main__":
    main()
