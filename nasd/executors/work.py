"""What a worker does, wherever it runs: set up once, then one order after the other."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nasd import rooms
from nasd.box import faults, tuning
from nasd.errors import NasdError
from nasd.evaluators.base import Answer, Report, Workspace
from nasd.evaluators.orders import Order, Think, evaluator_of
from nasd.outcome import Failed, Outcome
from store import files


class Setup(msgspec.Struct, frozen=True, kw_only=True, tag="setup", tag_field="type"):
    """All that stays the same for every order of a worker."""

    config: str  # the run's YAML
    device: str
    threads: int
    staging: str  # folder for what is to be kept
    memory_limit: int | None
    identity: dict[str, Any] | None = None  # the fingerprint that the data must have; None: any


Work = Callable[[Order, Report], tuple[Outcome | Answer, Mapping[str, Path]]]
"""Carries an order out; returns what came of it, and the paths of what it left by name."""


class Done(NamedTuple):
    """An order's end."""

    result: Outcome | Answer
    files: Mapping[str, Path]
    leaving: bool  # the process should end: an exception may have left its device unusable
    fault: str | None = None  # what the box lacked, in words, where it is to blame: `result` says nothing then


def attempt(work: Work, order: Order, report: Report) -> Done:
    """Carry an order out; whatever it raises makes it one that failed, with its reason, unless the box is to blame."""
    try:
        return Done(*work(order, report), leaving=False)
    except Exception as error:  # noqa: BLE001 - whatever an architecture does, it is one failed trial with its reason
        sys.excepthook(type(error), error, error.__traceback__)  # the whole of it goes to the log
        what = "thinking" if isinstance(order, Think) else "the evaluation"
        failed = Failed(reason=f"{what} raised {type(error).__name__}: {_brief(error)}")
        return Done(failed, {}, leaving=True, fault=faults.of_error(error))


def build(setup: Setup) -> Work:
    """Set a worker up: imports torch, loads the data set onto the device.

    Raises:
        NasdError: A data set or a device is missing, or the data are not those of the run.
    """
    tuning.prepare(setup.threads)
    import torch  # noqa: PLC0415 - two seconds that the heartbeat should not wait for

    from nasd import config as configuration  # noqa: PLC0415
    from nasd import data as datasets  # noqa: PLC0415
    from nasd.evaluators.bench import Bench  # noqa: PLC0415

    torch.set_num_threads(setup.threads)
    config = configuration.parse(setup.config)
    device = torch.device(setup.device)
    if device.type == "cuda" and (device.index or 0) >= (gpus := torch.cuda.device_count()):
        raise NasdError(
            f"torch finds no {setup.device} among {gpus} GPUs: name another, in executor.devices for the search, "
            "with --device for a job"
        )
    frozen = None if setup.identity is None else datasets.Fingerprint.from_json(setup.identity)
    identity = datasets.require_same(frozen, config.data)
    read = datasets.stream if config.data.multi_label else datasets.load
    bench = Bench(
        config=config,
        space=rooms.space(config),
        device=device,
        data=replace(read(config.data, config.seed, config.search.classes), identity=identity).to(device),
        memory_limit=setup.memory_limit,
        staging=Path(setup.staging),
    )
    usual = config.evaluation.kind
    evaluators: dict[str, Any] = {usual: rooms.evaluator(usual, bench)}

    def work(order: Order, report: Report) -> tuple[Outcome | Answer, Mapping[str, Path]]:
        if isinstance(order, Think):
            return think(config, order, report, bench.staging)
        name = evaluator_of(order)
        if name not in evaluators:  # a job that asks for another than the trials
            evaluators[name] = rooms.evaluator(name, bench)
        made: tuple[Outcome, Mapping[str, Path]] = evaluators[name].run(order, report)
        return made

    return work


def think(config: Any, order: Think, report: Report, staging: Path) -> tuple[Answer, Mapping[str, Path]]:
    """Have the config's strategy think; what it writes is synced."""
    outputs = files.temporary_beside(staging / "any")
    outputs.mkdir(parents=True)
    inputs = {name: Path(path) for name, path in order.inputs.items()}
    payload, names = rooms.thinker(config)(config, order.request, report, Workspace(inputs, outputs))
    left = {name: files.temporary_beside(outputs) for name in names}
    for name, path in left.items():
        (outputs / name).rename(path)
        files.sync(path)
    files.remove(outputs)
    return Answer(payload=payload), left


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:299] + "…"
