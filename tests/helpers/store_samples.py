"""A made-up search for the tests: the same deltas in every process."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from store import Delta, Learned, LearnedFile, OpenProposal, Run, Trial, files
from store.embeddings import Split

CONFIG = "seed: 1\n"
LOOKAHEAD = 2


def net(number: int) -> str:
    return f"[C({number},3,1,1,1), SM(10)]"


def proposal(number: int, **changes: Any) -> OpenProposal:
    made = OpenProposal(number, net(number), "evaluate", stage="e=1", facts={"epsilon": 1.0})
    return replace(made, **changes)


def trial(number: int, **changes: Any) -> Trial:
    draw = random.Random(number)
    curve = tuple(draw.random() for _ in range(5))
    made = Trial(
        number=number,
        order=number,
        net=net(number),
        status="evaluated",
        stage="e=1",
        facts={"epsilon": 1.0},
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


def payload(number: int) -> bytes:
    return random.Random(number).randbytes(40)


def learned(number: int, *kept: LearnedFile) -> Learned:
    return Learned(payload(number), kept)


def beginning() -> Delta:
    return Delta(opened=tuple(proposal(n + 1) for n in range(LOOKAHEAD)), position={"proposed": LOOKAHEAD})


def step(number: int, **changes: Any) -> Delta:
    made = Delta(
        trial=trial(number),
        learned=learned(number),
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


def stage_file(run: Run, content: bytes) -> Path:
    """A file that waits to be adopted."""
    staged = files.temporary_beside(run.files.folder / "any")
    staged.write_bytes(content)
    return staged


def adopt(run: Run, name: str, content: bytes = b"weights" * 1000) -> LearnedFile:
    return run.files.adopt(stage_file(run, content), name)


def split(rows: int, dimension: int = 20, seed: int = 0) -> Split:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, dimension)).astype(np.float16)
    return Split(np.maximum(x, 0), draw.integers(0, 10, rows), np.arange(rows))
