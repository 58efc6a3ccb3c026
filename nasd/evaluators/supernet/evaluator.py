"""The worker's half of epochs of a supernet."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
import torch._dynamo  # a second or three; an operation on the meta device would import it

from nasd.data import Data
from nasd.errors import NasdError
from nasd.evaluators.base import Report, Step
from nasd.evaluators.bench import Bench
from nasd.evaluators.clock import Clock
from nasd.evaluators.errors import EvaluationError, failed, is_out_of_memory
from nasd.evaluators.memory import available_bytes, fit_micro_batch
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.orders import Supernet
from nasd.evaluators.step_memory import state_bytes, step_bytes
from nasd.evaluators.supernet.epoch import Epoch
from nasd.outcome import Evaluated, Outcome
from store import files

log = logging.getLogger("nasd.evaluator")

RETRY = 5.0  # seconds between tries to write a file


class SupernetEvaluator:
    """Trains a supernet, an epoch at a time. Each leaves one file, from which the next begins."""

    def __init__(self, bench: Bench) -> None:
        if not isinstance(bench.data, Data):
            raise NasdError(f"{bench.data.name} is streamed, and a supernet needs its images in memory")
        self._bench = bench
        if bench.memory_limit is not None:
            try:
                self._fit()
            except EvaluationError as error:  # each epoch would fail
                raise NasdError(f"executor.memory_limit: {error}") from error

    def run(self, order: Supernet, report: Report) -> tuple[Outcome, Mapping[str, Path]]:
        """See `nasd.evaluators.base.Evaluator`."""
        clock, staged = Clock(self._bench.device), files.temporary_beside(self._bench.staging / "any")
        report(Step(stage="build"))
        outcome: Outcome
        try:
            with clock.stage("train"):
                outcome = self._epoch(order, staged, report)
        except torch.AcceleratorError:
            raise
        except (EvaluationError, RuntimeError, MemoryError) as error:
            outcome = failed(error)
        left = {order.end: staged} if isinstance(outcome, Evaluated) else {}
        return msgspec.structs.replace(outcome, measured=clock.measured()), left

    def _epoch(self, order: Supernet, staged: Path, report: Report) -> Evaluated:
        """Half the images at a time where memory runs out in spite of the prediction."""
        micro_batch = self._fit()
        while True:
            try:
                epoch = Epoch(self._bench, order, micro_batch, report)
                outcome = epoch.run()
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or micro_batch <= 2:
                    raise
            micro_batch = max(2, micro_batch // 2)
        _write(epoch, staged, report)
        return outcome

    def _fit(self) -> int:
        """The images that pass at a time: the whole mini-batch, if memory allows."""
        bench, data = self._bench, self._bench.data
        assert bench.config.evaluation.kind == "supernet"
        with torch.device("meta"):
            network = SupernetNetwork(bench.space.config, bench.config.encoder)
            base = bench.space.make((0,) * len(bench.space.choices))
            alone = SupernetNetwork(bench.space.config, bench.config.encoder, base)  # no architecture takes more
        resident = state_bytes(network)
        largest = min(bench.config.evaluation.batch_size, len(data.train))
        available = available_bytes(bench.device, data, bench.memory_limit)
        return max(2, fit_micro_batch(lambda n: resident + step_bytes(alone, data, max(n, 2)), largest, available))


def _write(epoch: Epoch, staged: Path, report: Report) -> None:
    """Write an epoch's file, however long the disk is full: training it again would not make room."""
    while True:
        try:
            epoch.write(staged)
            files.sync(staged)
        except OSError as error:
            files.remove(staged)
            log.warning("the epoch's file cannot be written, it is tried again: %s", error)
            report(Step(stage="waiting for the disk"))
            time.sleep(RETRY)
        else:
            return
