"""The worker's half of deep priors."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nasd.data import Data, Streamed
from nasd.evaluators.base import Report, reporting
from nasd.evaluators.bench import Bench
from nasd.evaluators.deep_prior.embedding import EmbeddedData, OnHost
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.deep_prior.looks import looking_bytes, rungs_of
from nasd.evaluators.deep_prior.warm_up import warm_up
from nasd.evaluators.memory import pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.orders import DeepPrior
from nasd.evaluators.room import require_room
from nasd.outcome import Failed, Outcome
from store import StoreError, embeddings


class DeepPriorEvaluator:
    """Evaluates random networks, and stages embeddings that are worth keeping as the file `embedding`.

    Raises:
        NasdError: Nothing fits in the memory limit.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        if isinstance(bench.data, Data):
            require_room(bench, partial(_least_bytes, bench, bench.data))
        warm_up(bench.config, bench.device)

    def run(self, order: DeepPrior, report: Report) -> tuple[Outcome, Mapping[str, Path]]:
        """See `nasd.evaluators.base.Evaluator`."""
        bench, staged = self._bench, dict[str, Path]()
        if isinstance(bench.data, Streamed):
            return Failed(reason="A deep prior's classifier cannot learn several labels per image."), staged

        def keep(embedding: EmbeddedData) -> None:
            if order.keep_above is None or embedding.attributes["reward"] <= order.keep_above:
                return
            folder = bench.staging if order.staging is None else Path(order.staging)
            try:
                staged["embedding"] = _stage(embedding, folder)
            except StoreError as error:  # the result counts without it
                sys.stderr.write(f"the embedding was not kept: {error}\n")

        outcome = evaluate(
            bench.space.parse(order.net),
            bench.data,
            bench.config_of(order.epochs),
            order.seed,
            bench.device,
            progress=reporting(report),
            on_embedding=keep if order.keep_above is not None else None,
            screen_floor=order.screen_floor,
            rungs=order.rungs,
            memory_limit=bench.memory_limit,
        )
        return outcome, staged


def _stage(embedding: EmbeddedData, folder: Path) -> Path:
    splits = {
        name: embeddings.Unwritten(OnHost(split.x), split.y.cpu().numpy(), split.index.cpu().numpy())
        for name, split in embedding.splits.items()
    }
    return embeddings.stage(folder, splits, embedding.attributes)


def _least_bytes(bench: Bench, data: Data, architecture: Any) -> int:
    """With images that pass one by one."""
    with torch.device("meta"):
        encoder = Encoder(architecture, data.channels, bench.config.encoder)
    looking = looking_bytes(data, architecture.embedding_dim, bench.config, rungs_of(bench.config))
    return resident_bytes(encoder, data, bench.config) + max(pass_bytes(encoder, data, 1, bench.device), looking)
