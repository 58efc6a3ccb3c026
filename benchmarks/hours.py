"""What a search of the paper's space takes on two cores, without running it: a sample of its trials is timed.

    python -m benchmarks.hours configs/dp-nas.yaml [--trials 30] [--ways bfloat16 bfloat16+fft] [--set KEY=VALUE]

The search is simulated as `nasd plan` does it. Its evaluations are sorted by the operations of their encoders and cut
into ten strata of as many operations each; of each stratum the same number of trials is drawn. Of each trial one
mini-batch passes the encoder, one of fewer images where an image takes long, but a whole one where convolutions are by
FFT, which transforms the weights anew for each. A stratum takes its operations times the seconds per operation of its
sample, so that each trial weighs as the operations that it stands for.

Times are processor time of one thread; two cores are taken as two such threads, each with a mini-batch of its own. The
classifier is timed apart. `evaluation.rungs` counts with the images that are expected to be encoded.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402

from nasd import config as configuration  # noqa: E402
from nasd import rooms  # noqa: E402
from nasd.config import Config  # noqa: E402
from nasd.evaluators.deep_prior.calibration import calibrate  # noqa: E402
from nasd.evaluators.deep_prior.embed import embed_mini_batch, replica  # noqa: E402
from nasd.evaluators.deep_prior.fft_table import of_device  # noqa: E402
from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: E402
from nasd.evaluators.networks.encoder import Encoder  # noqa: E402
from nasd.evaluators.seeding import generator  # noqa: E402
from nasd.evaluators.threads import one_thread_each  # noqa: E402
from nasd.runs.create import settle  # noqa: E402
from nasd.runs.plan import Cost, Images, plan  # noqa: E402

CORES = 2
STRATA = 10
BATCH = 128  # images
WAYS = ("float32", "bfloat16", "float32+fft", "bfloat16+fft")
FASHION_MNIST = Images(54_000, 6_000, 10_000)


class Stratum(NamedTuple):
    """Evaluations of about the same cost."""

    costs: Sequence[Cost]
    sample: Sequence[Cost]

    @property
    def gflop(self) -> float:
        """Of all its encoders."""
        return sum(cost.encoder for cost in self.costs)


def strata(costs: Sequence[Cost], number: int, trials: int, seed: int) -> list[Stratum]:
    """Cut into parts of as many operations each, and draw from each."""
    ordered = sorted(costs, key=lambda cost: cost.encoder)
    share, reached = sum(cost.encoder for cost in ordered) / number, 0.0
    parts: list[list[Cost]] = [[] for _ in range(number)]
    for cost in ordered:
        parts[min(int((reached + cost.encoder / 2) / share), number - 1)].append(cost)
        reached += cost.encoder
    random = Random(seed)
    return [Stratum(part, random.sample(part, min(trials // number, len(part)))) for part in parts if part]


@torch.inference_mode()
@one_thread_each()
def seconds_an_image(cost: Cost, config: Config, gflop: float, least: int) -> float:
    """Processor time of one thread that passes a mini-batch in train mode, of at most so many operations.

    Args:
        cost: The evaluation.
        config: Its `encoder` and `space` count.
        gflop: Of the mini-batch, unless its least images take more.
        least: Images of it.
    """
    space = rooms.space(config)
    shape = (config.space.channels, config.space.patch_size, config.space.patch_size)
    with torch.device("meta"):
        encoder = Encoder(space.parse(cost.net), shape[0], config.encoder)
    encoder.to_empty(device="cpu")
    encoder.initialise(generator(1, "weights"))
    encoder = replica(encoder)
    images = torch.randint(0, 256, (BATCH, *shape), dtype=torch.uint8, generator=generator(1, "images"))
    rows = torch.arange(max(least, min(len(images), round(gflop / (cost.encoder / cost.passes)))))
    out = torch.empty((len(images), encoder.embedding_dim), dtype=encoder.dtype)
    embed_mini_batch(encoder, images, rows[:2], 2, out)  # brings libraries to life
    began = time.process_time()
    embed_mini_batch(encoder, images, rows, len(rows), out)
    return (time.process_time() - began) / len(rows)


def of_way(config: Config, way: str) -> Config:
    """A config with the precision and the convolutions of a way."""
    precision, _, fft = way.partition("+")
    table = of_device("cpu", precision) if fft else "direct"
    return config.model_copy(
        update={"encoder": config.encoder.model_copy(update={"precision": precision, "convolution": table or "direct"})}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", default=Path("configs/dp-nas.yaml"))
    parser.add_argument("--trials", type=int, default=30, help="timed, in all")
    parser.add_argument("--gflop", type=float, default=600.0, help="of a mini-batch")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    config = settle(configuration.load(arguments.config, tuple(arguments.overrides)))
    found = plan(config, FASHION_MNIST)
    print(
        f"{config.name}: {sum(found.kinds.values()):,} trials, {len(found.costs):,} of them evaluated; "
        f"{sum(cost.encoder for cost in found.costs) / 1000:,.0f} TFLOP in the encoders\n"
    )
    parts = strata(found.costs, STRATA, arguments.trials, arguments.seed)
    hours = dict.fromkeys(arguments.ways, 0.0)
    print(f"| evaluations | GFLOP an image | {' | '.join(f'{one}, GFLOP/s' for one in hours)} |")
    print(f"| --- | --- |{' --- |' * len(hours)}")
    for part in parts:
        shown = []
        for way in hours:
            chosen, least = of_way(config, way), BATCH if way.endswith("+fft") else 8
            warm_up(chosen, torch.device("cpu"))
            taken = sum(cost.passes * seconds_an_image(cost, chosen, arguments.gflop, least) for cost in part.sample)
            rate = sum(cost.encoder for cost in part.sample) / taken
            hours[way] += part.gflop / rate / CORES / 3600
            shown.append(f"{rate:.0f}")
        sizes = [cost.encoder / cost.passes for cost in part.sample]
        print(f"| {len(part.costs):,} | {min(sizes):.3g} to {max(sizes):.3g} | {' | '.join(shown)} |", flush=True)
    values = sum(cost.values for cost in found.costs) // len(found.costs)
    classifier = calibrate(rooms.space(config), config, {}, values, torch.device("cpu"), 1).classifier
    trained = sum(cost.classifier for cost in found.costs) * classifier / CORES / 3600
    for way, encoded in hours.items():
        thousand = 1000 * (encoded + trained) / len(found.costs)
        print(
            f"\n{way}: {encoded:,.1f} hours in the encoders and {trained:,.1f} in the classifiers on {CORES} "
            f"cores, {thousand:,.1f} for a thousand evaluations"
        )


if __name__ == "__main__":
    main()
