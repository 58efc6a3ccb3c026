"""A made-up search for the tests: the same deltas in every process."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from store import Delta, OpenProposal, QUpdate, Run, Trial
from store.embeddings import Split

CONFIG = "seed: 1\n"
LOOKAHEAD = 2


def net(number: int) -> str:
    return f"[C({number},3,1,1,1), SM(10)]"


def proposal(number: int, **changes: Any) -> OpenProposal:
    return replace(OpenProposal(number, net(number), 1.0, "evaluate"), **changes)


def trial(number: int, **changes: Any) -> Trial:
    draw = random.Random(number)
    curve = tuple(draw.random() for _ in range(5))
    made = Trial(
        number=number,
        order=number,
        net=net(number),
        status="evaluated",
        epsilon=1.0,
        reward=sum(curve) / 5,
        counted=True,
        seed=draw.getrandbits(64),
        validation_accuracies=curve,
        train_accuracies=tuple(draw.random() for _ in range(5)),
        test_accuracy=draw.random(),
        embedding_dim=3200,
        micro_batch=128,
        finished_at=1e9 + number,
        seconds=draw.random(),
        device="cpu",
    )
    return replace(made, **changes)


def update(number: int, **changes: Any) -> QUpdate:
    """Two states and two transitions a trial; old values change as well."""
    draw = random.Random(number)
    first = 2 * (number - 1)
    old = tuple(draw.sample(range(first), min(first, 3)))
    made = QUpdate(
        path=(first, first + 1),
        states=(("conv", number, 64, 3, 1, 1, 28, 0, 0), ("conv", number, 64, 3, 1, 1, 28, 0, 1)),
        transitions=((0, first), (first, first + 1)),
        q_ids=(first, first + 1, *old),
        q_values=tuple(draw.random() for _ in range(2 + len(old))),
    )
    return replace(made, **changes)


def beginning() -> Delta:
    return Delta(opened=tuple(proposal(n + 1) for n in range(LOOKAHEAD)), position={"proposed": LOOKAHEAD})


def step(number: int, **changes: Any) -> Delta:
    made = Delta(
        trial=trial(number),
        update=update(number),
        opened=(proposal(number + LOOKAHEAD),),
        position={"proposed": number + LOOKAHEAD, "random": random.Random(number).getrandbits(128)},
    )
    return replace(made, **changes)


def create(path: Path, trials: int = 0) -> Run:
    run = Run.create(path, CONFIG, name="sample", version="0.1.0")
    run.commit(beginning())
    for number in range(1, trials + 1):
        run.commit(step(number))
    return run


def q_table(deltas: Iterator[QUpdate]) -> dict[int, float]:
    """What the Q-values are after these updates, the plain way."""
    table: dict[int, float] = {}
    for made in deltas:
        table.update(zip(made.q_ids, made.q_values, strict=True))
    return table


def split(rows: int, dimension: int = 20, seed: int = 0) -> Split:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, dimension)).astype(np.float16)
    return Split(np.maximum(x, 0), draw.integers(0, 10, rows), np.arange(rows))
