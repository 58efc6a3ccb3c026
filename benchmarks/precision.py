"""What lower precision of the encoder costs in accuracy and gains in time.

    python -m benchmarks.precision [--precision bfloat16] [--fft] [--only NAME ...] [--seeds 5] [--samples 6000]
        [--epochs 5]

Each seed is evaluated in float32 and in the other precision, with the same weights, order and shuffles; what counts is
the mean of the differences and its standard error. With `--fft` the other one convolves by Fourier transform.
"""

import argparse
import statistics
from pathlib import Path

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402

from benchmarks.architectures import ARCHITECTURES, load_data, parse  # noqa: E402
from nasd.config import Config, EncoderConfig, TrainingConfig  # noqa: E402
from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: E402
from nasd.outcome import Evaluated  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of FashionMNIST; else ../shared/data, else digits")
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), default="bfloat16")
    parser.add_argument("--fft", action="store_true", help="every window larger than 1x1 in the other precision")
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, help="take only so many training images")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    if arguments.precision == "float32" and not arguments.fft:
        parser.error("float32 beside float32: ask for --fft, or for another precision")
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    data = load_data(arguments.data, arguments.samples).to(arguments.device)
    training = TrainingConfig(epochs=arguments.epochs)
    print(f"{arguments.seeds} seeds, {len(data.train):,} training images, {arguments.epochs} epochs; test in percent\n")
    other_way = EncoderConfig(precision=arguments.precision, convolution="fft" if arguments.fft else "direct")
    name_of_other = f"{arguments.precision}{' and FFT' * arguments.fft}"
    ways = {"float32": EncoderConfig(precision="float32"), name_of_other: other_way}
    print(f"| architecture | {' | '.join(ways)} | difference ± s.e. | encoder, times as fast |")
    print("| --- | --- | --- | --- | --- |")
    for name in arguments.only:
        accuracies: dict[str, list[float]] = {way: [] for way in ways}
        times: dict[str, list[float]] = {way: [] for way in ways}
        for seed in range(1, arguments.seeds + 1):
            for way, found in accuracies.items():
                config = Config(training=training, encoder=ways[way])
                outcome = evaluate(parse(name, data), data, config, seed, arguments.device)
                if not isinstance(outcome, Evaluated) or outcome.test_accuracy is None:
                    raise SystemExit(f"{name}: {outcome}")
                found.append(100 * outcome.test_accuracy)
                times[way].append(outcome.measured.encode_seconds)
        exact, other = accuracies.values()
        differences = [after - before for before, after in zip(exact, other, strict=True)]
        error = statistics.stdev(differences) / len(differences) ** 0.5
        faster = min(times["float32"]) / min(times[name_of_other])
        print(
            f"| {name} | {statistics.fmean(exact):.2f} | {statistics.fmean(other):.2f} "
            f"| {statistics.fmean(differences):+.2f} ± {error:.2f} | {faster:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
