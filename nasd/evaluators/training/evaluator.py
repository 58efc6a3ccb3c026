"""The worker's half of full trainings."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch._dynamo  # noqa: F401 - a second or three; an operation on the meta device would import it

from nasd.evaluators.base import Report, reporting
from nasd.evaluators.bench import Bench
from nasd.evaluators.orders import Training
from nasd.evaluators.room import require_room
from nasd.evaluators.training.training import least_bytes, train_fully
from nasd.evaluators.training.weight_files import WeightFiles
from nasd.outcome import Outcome


class TrainingEvaluator:
    """Trains whole networks. Their files lie under the order's stem, where a killed training finds its checkpoint.

    Raises:
        NasdError: Nothing fits in the memory limit.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        if bench.config.evaluation.kind == "training":  # a job's architecture was chosen, and may be smaller than most
            require_room(bench, partial(least_bytes, bench.data, bench.config))

    def run(self, order: Training, report: Report) -> tuple[Outcome, Mapping[str, Path]]:
        """See `nasd.evaluators.base.Evaluator`."""
        bench = self._bench
        outcome = train_fully(
            bench.space.parse(order.net),
            bench.data,
            bench.config_of(order.epochs),
            order.seed,
            bench.device,
            progress=reporting(report),
            files=None if order.weights is None else WeightFiles(Path(order.weights), keep=order.keep_weights),
            memory_limit=bench.memory_limit,
        )
        return outcome, {}
