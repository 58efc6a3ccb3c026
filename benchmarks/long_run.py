"""A run of many made-up trials, as files: written past the store, whose commits take minutes, hence without seals."""

import random
import sqlite3
from pathlib import Path

import numpy as np

from nasd.config import Config, LayersConfig, RandomConfig
from nasd.config.data import DataConfig
from nasd.runs import create
from nasd.spaces.layers import SearchSpace
from store import Trial
from store.codec import TRIAL_COLUMNS, trial_row


def write(directory: Path, trials: int) -> None:
    """A random search on digits that nobody runs. A daemon would refuse it; whoever only reads does not ask."""
    config = Config(name=directory.name, data=DataConfig(name="digits"), search=RandomConfig(trials=trials))
    create.create(config, directory)
    space = SearchSpace(LayersConfig(patch_size=8, num_classes=10, channels=1))
    drawing, dice = np.random.default_rng(1), random.Random(1)
    pool = [str(space.sample(drawing)) for _ in range(4000)]
    rows = [trial_row(_trial(number, dice, pool)) for number in range(1, trials + 1)]
    with sqlite3.connect(directory / "run.db") as database:
        marks = ",".join("?" * len(rows[0]))
        database.executemany(f"INSERT INTO trial ({TRIAL_COLUMNS}) VALUES ({marks})", rows)
    database.close()


def _trial(number: int, dice: random.Random, pool: list[str]) -> Trial:
    reward = round(dice.betavariate(9, 2), 4)
    return Trial(
        number=number,
        order=number,
        net=dice.choice(pool),
        status="failed" if dice.random() < 0.02 else "evaluated",
        stage="random",
        facts={},
        reward=reward,
        counted=True,
        validation_accuracies=(reward,),
        test_accuracy=reward - 0.004,
        embedding_dim=dice.randrange(100, 20_000),
        finished_at=1.7e9 + number,
        seconds=dice.uniform(1, 60),
        device="cpu",
    )
