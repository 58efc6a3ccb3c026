"""Finished searches without a daemon: real ones on digits, and long ones with rewards from a formula."""

import hashlib
from dataclasses import replace
from pathlib import Path

from nasd import config as configuration
from nasd import rooms
from nasd.config import Config
from nasd.daemon.trial_rows import make_trial
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.outcome import Evaluated
from nasd.seeding import trial_seed
from store import Delta, Learned, Run
from store.embeddings import Split

SPACE = {
    "patch_size": 8, "min_conv": 1, "max_conv": 3, "conv_sizes": [1, 3, 5], "conv_features": [16, 32],
    "large_conv_strides": [], "pool_sizes": [2], "pool_strides": [2], "max_num_fc_input": 1200,
}  # fmt: skip


def configure(schedule=((1.0, 5), (0.5, 2)), **sections):
    plain = {
        "name": "small",
        "data": {"name": "digits", "train_samples": 300},
        "space": SPACE,
        "search": {"epsilon_schedule": schedule, "lookahead": 1},
        "training": {"epochs": 2, "early_stopping_epoch": 1},
        "executor": {"devices": ["cpu"], "threads": 1},
    }
    return Config.model_validate(plain | sections)


def search(directory: Path, config: Config, outcome_of, keep=0) -> Path:
    """Run a whole search in this process; `outcome_of(architecture, seed, on_embedding)` evaluates."""
    space = rooms.space(config)
    strategy = rooms.strategy(config, space)
    with Run.create(directory, configuration.dump(config), name=config.name, version="0") as run:
        while not strategy.finished:
            (proposal,) = strategy.propose(1)
            architecture, embeddings = space.parse(proposal.net), []
            outcome = None
            if proposal.kind == "evaluate":
                outcome = outcome_of(architecture, trial_seed(config.seed, proposal.number), embeddings.append)
            observed = strategy.observe(proposal, outcome)
            trial = make_trial(proposal, observed, outcome, order=proposal.number, seed=config.seed)
            if embeddings and len(run.embeddings.kept()) < keep:
                splits = {
                    name: Split(*(part.numpy() for part in (split.x, split.y, split.index)))
                    for name, split in embeddings[0].splits.items()
                }
                name = run.embeddings.write(f"trial-{trial.number:06}.zarr", splits, embeddings[0].attributes)
                trial = replace(trial, embedding=name)
            learned = Learned(observed.learned.payload) if observed.learned else None
            run.commit(Delta(trial=trial, learned=learned, position=strategy.position()))
    return directory


def real(directory: Path, config: Config, data) -> Path:
    """Digits, one epoch each; the first two embeddings are kept."""

    def outcome_of(architecture, seed, on_embedding):
        return evaluate(architecture, data, config, seed, "cpu", on_embedding=on_embedding)

    return search(directory, config, outcome_of, keep=2)


def formula(directory: Path, config: Config) -> Path:
    """Rewards that grow with the size of the embedding, and scatter."""

    def outcome_of(architecture, seed, _on_embedding):
        noise = int(hashlib.sha256(str(seed).encode()).hexdigest()[:6], 16) / 0xFFFFFF
        top = 0.55 + 0.3 * min(architecture.embedding_dim, 1200) / 1200 + 0.08 * noise
        curve = tuple(top * (1 - 0.5**epoch) for epoch in range(1, 11))
        return Evaluated(
            reward=sum(curve[-5:]) / 5,
            validation_accuracies=curve,
            train_accuracies=tuple(value + 0.02 for value in curve),
            test_accuracy=curve[-1] - 0.01,
            early_stopped=False,
            embedding_dim=architecture.embedding_dim,
            micro_batch=128,
        )

    return search(directory, config, outcome_of)
