"""`nasd plan`: what a search will cost, before it begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nasd import config as configuration
from nasd import rooms
from nasd.box.devices import count_gpus, workers_of
from nasd.cli.options import json_option, set_option
from nasd.cli.output import Spinner, duration, print_json, print_table, size
from nasd.config import Config, SupernetConfig
from nasd.runs.create import settle
from nasd.runs.expected import Pace, leaving_out, too_long
from nasd.runs.plan import Cost, Images, Plan, plan

EXAMPLES = 2  # layers of each class that are timed
LARGEST = 10  # evaluations whose memory is predicted, by embedding and by activations


@click.command("plan")
@click.argument("file", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@set_option
@click.option("--no-time", is_flag=True, help="Count operations only; nothing is measured on this box.")
@json_option
def plan_command(file: Path, overrides: tuple[str, ...], no_time: bool, as_json: bool) -> None:
    """Say what a search costs: trials, operations, memory, disk, and the time on this box.

    Simulates the whole search with its own strategy and made-up rewards, which takes seconds, and times the layers that
    it comes upon. No run is made.
    """
    given = configuration.load(file, overrides)
    workers = workers_of(given.executor)
    there = {"cpu", *(f"cuda:{index}" for index in range(count_gpus()))}
    absent = sorted({device for device, _ in workers} - there)
    measured = not (no_time or absent)
    with Spinner("settling what the config leaves open"):
        config = settle(given if measured else _unmeasured(given))
    images = _images(config)
    with Spinner("simulating the search"):
        found = plan(config, images)
    pace = None
    if measured:
        with Spinner("measuring this box"):
            pace = _pace(config, found, workers)
    memory = _memory(config, found, images) if config.evaluation.kind == "deep_prior" else None
    unsettled = not measured and given.encoder.convolution == "measured" and config.space.kind == "layers"
    shown = _Shown(config, found, images, workers, pace, memory, unsettled, [] if no_time else absent)
    if as_json:
        print_json(shown.values())
    else:
        shown.print()


def _unmeasured(config: Config) -> Config:
    """With what needs no measurement in place of what does; no operation depends on it."""
    space, encoder = config.space, config.encoder
    if isinstance(space, SupernetConfig) and space.latencies == "measured":
        space = space.model_copy(update={"latencies": None})
    if encoder.convolution == "measured":
        encoder = encoder.model_copy(update={"convolution": "direct"})
    return config.model_copy(update={"space": space, "encoder": encoder})


def _images(config: Config) -> Images:
    from nasd import data as datasets  # noqa: PLC0415 - torch, two seconds

    data = datasets.stream(config.data, config.seed, config.search.classes)
    return Images(len(data.train), len(data.validation), len(data.test))


def _pace(config: Config, found: Plan, workers: Sequence[tuple[str, int]]) -> Pace:
    """Time the layers on the device of the first worker; all devices of a kind are taken to be as fast."""
    import torch  # noqa: PLC0415

    from nasd.evaluators.deep_prior.calibration import calibrate  # noqa: PLC0415

    device, _ = workers[0]
    of_device = [each for name, each in workers if name == device]
    rates = calibrate(
        rooms.space(config),
        config,
        found.examples(EXAMPLES),
        max(1, sum(cost.values for cost in found.costs) // len(found.costs)),
        torch.device(device),
        sum(of_device) if device == "cpu" else 1,
    )
    devices = len({name for name, _ in workers})
    return Pace({kernel: rate / devices for kernel, rate in rates.kernels.items()}, rates.classifier, len(workers))


def _memory(config: Config, found: Plan, images: Images) -> int:
    """Bytes of the largest evaluation, its mini-batches not split."""
    import torch  # noqa: PLC0415

    from nasd.evaluators.deep_prior.calibration import peak_bytes, without_images  # noqa: PLC0415

    space, data = rooms.space(config), without_images(config, images)
    device = torch.device(workers_of(config.executor)[0][0])
    keys: tuple[Callable[[Cost], int], ...] = (lambda cost: cost.values, lambda cost: cost.activations)
    chosen = {cost.net for key in keys for cost in sorted(found.costs, key=key, reverse=True)[:LARGEST]}
    return max(peak_bytes(space.parse(net), config, data, device) for net in chosen)


@dataclass(frozen=True)
class _Shown:
    """A plan, for people and for programs."""

    config: Config
    plan: Plan
    images: Images
    workers: Sequence[tuple[str, int]]
    pace: Pace | None
    memory: int | None
    unsettled: bool  # which convolutions are by FFT
    absent: Sequence[str]  # devices whose times would have been measured

    def values(self) -> dict[str, object]:
        """For programs. Operations in GFLOP, memory in bytes, times in seconds."""
        pace = self.pace
        return {
            "trials": sum(self.plan.kinds.values()),
            "kinds": dict(self.plan.kinds),
            "images": self.images._asdict(),
            "encoder_gflop": sum(cost.encoder for cost in self.plan.costs),
            "classifier_gflop": sum(cost.classifier for cost in self.plan.costs),
            "passing_all_rungs": sum(cost.passing for cost in self.plan.costs),
            "evaluation_gflop": {
                str(share): self.plan.quantile(share).encoded_whole for share in (0.5, 0.9, 0.99, 1.0)
            },
            "stages": {
                stage: {"evaluations": len(costs), "encoder_gflop": sum(cost.encoder for cost in costs)}
                for stage, costs in self.plan.by_stage.items()
            },
            "kernels": self.plan.by_kernel,
            "memory": self.memory,
            "disk": self._disk,
            "seconds": None if pace is None else pace.search(self.plan.costs),
            "seconds_per_gflop": None if pace is None else dict(pace.kernels),
            "warnings": self._warnings(),
        }

    def print(self) -> None:
        """For people."""
        kinds, costs = self.plan.kinds, self.plan.costs
        others = ", ".join(f"{kinds[kind]:,} {name}" for kind, name in _OTHERS.items() if kind in kinds)
        click.echo(f"{sum(kinds.values()):,} trials: {kinds['evaluate']:,} evaluations{', ' * bool(others)}{others}")
        click.echo("(simulated: what is proposed depends on rewards that nobody knows)")
        passing = sum(cost.passing for cost in costs)
        if passing < len(costs):
            click.echo(
                f"about {passing:,.0f} evaluations pass all rungs, the others are stopped: operations and times below "
                "are what is to be expected"
            )
        median, most, nearly, largest = (_work(self.plan.quantile(s).encoded_whole) for s in (0.5, 0.9, 0.99, 1.0))
        whole = " that passes all rungs" if passing < len(costs) else ""
        click.echo(
            f"an evaluation{whole}: median {median}, 90 % up to {most}, 99 % up to {nearly}, the largest {largest}"
        )
        total = sum(cost.encoder for cost in costs)
        click.echo(
            f"all: {_work(total)} in the encoders, {_work(sum(cost.classifier for cost in costs))} in classifiers\n"
        )
        self._table(
            "STAGE",
            [
                (stage, sum(map(_encoder, some)), self._seconds(some), f"{len(some):,}")
                for stage, some in self.plan.by_stage.items()
            ],
        )
        click.echo()
        self._table(
            "LAYERS",
            [(kernel, work, self._of_kernel(kernel, work), "") for kernel, work in self.plan.by_kernel.items()],
        )
        click.echo()
        if self.memory is not None:
            click.echo(f"memory   {size(self.memory)} for the largest evaluation, images included")
        click.echo(f"disk     up to {size(self._disk)}, {self.config.store.keep_embeddings} embeddings included")
        if self.pace is not None:
            devices = ", ".join(f"{device} ({threads} threads)" for device, threads in self.workers)
            click.echo(f"time     {duration(self.pace.search(costs))} on {devices}")
        elif self.absent:
            click.echo(f"time     not known, as this box lacks {', '.join(self.absent)}")
        for sentence in self._warnings():
            click.echo(click.style(f"warning  {sentence}", fg="yellow"))

    def _table(self, what: str, rows: Sequence[tuple[str, float, float | None, str]]) -> None:
        total = sum(work for _, work, _, _ in rows) or 1.0
        header = [what, "EVALUATIONS", "OPERATIONS", "SHARE", "TIME"]
        cells = [
            [name, count, _work(work), f"{100 * work / total:.0f} %", duration(seconds)]
            for name, work, seconds, count in rows
        ]
        kept = [i for i in range(len(header)) if i == 0 or any(row[i] not in ("", "-") for row in cells)]
        print_table([header[i] for i in kept], [[row[i] for i in kept] for row in cells], right=range(1, len(kept)))

    def _seconds(self, costs: list[Cost]) -> float | None:
        return None if self.pace is None else self.pace.search(costs)

    def _of_kernel(self, kernel: str, work: float) -> float | None:
        return None if self.pace is None else work * self.pace.kernels[kernel]

    @property
    def _disk(self) -> int:
        return self.plan.disk(self.images, self.config.store.keep_embeddings)

    def _warnings(self) -> list[str]:
        sentences = []
        if self.pace is not None:
            training = self.config.evaluation.kind == "training"
            timeout = self.config.executor.trial_timeout
            late = too_long(self.plan, self.pace, timeout, self.config.training.epochs if training else 1)
            if late:
                longest = duration(max(map(self.pace.longest, late)))
                share = sum(map(_encoder, late)) / sum(map(_encoder, self.plan.costs))
                whole = " if they pass all rungs" if any(cost.passing < 1 for cost in late) else ""
                limit = leaving_out(late, self.plan, self.config.space.kind)
                advice = "" if limit is None else f", or set {limit}"
                sentences.append(
                    f"{len(late):,} evaluations, {100 * share:.0f} % of the operations, would fail{whole} by "
                    f"executor.trial_timeout, {duration(timeout)}: the longest takes {longest}; raise it{advice}"
                )
        if (rungs := self.config.rungs) is not None and rungs.images[-1] >= self.images.train:
            sentences.append(
                f"evaluation.rungs.images: {rungs.images[-1]:,} is never reached, as {self.images.train:,} images train"
            )
        if self.memory is not None and self.unsettled:
            sentences.append(
                "the memory is that of direct convolutions, as nothing was measured: those by FFT would take more"
            )
        limit_bytes = self.config.executor.memory_limit
        if self.memory is not None and limit_bytes is not None and self.memory > limit_bytes:
            sentences.append(
                f"the largest evaluation does not fit in executor.memory_limit, {size(limit_bytes)}: its mini-batches "
                "would be split, which takes longer"
            )
        return sentences


_OTHERS = {"infeasible": "infeasible", "duplicate": "proposed before"}


def _encoder(cost: Cost) -> float:
    return cost.encoder


def _work(gflop: float) -> str:
    """In TFLOP, or, where that is little, in GFLOP."""
    value, unit = (gflop / 1000, "TFLOP") if gflop >= 100 else (gflop, "GFLOP")
    return f"{value:,.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
