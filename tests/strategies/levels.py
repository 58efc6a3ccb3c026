"""A small strategy for tests that works in levels, as PNAS does: all of a level are observed, a worker ranks them, and
the best have children in the next.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nasd.outcome import Outcome
from nasd.spaces.layers import SearchSpace
from nasd.strategies import stream
from nasd.strategies.base import Learned, Observed, Progress, Proposal, Stage, Work
from nasd.strategies.ledger import Ledger

LEVELS, WIDTH = 3, 6


def think(work: Work) -> Learned:
    """The half of the best of a level, in order."""
    rows = json.loads(work.request)
    ranked = sorted(rows, key=lambda row: (-row[1], row[0]))
    return Learned(b"ranked" + json.dumps([net for net, _ in ranked[: WIDTH // 2]]).encode())


class Levels:
    """Every level is `WIDTH` proposals; what is not evaluated belongs to the level as well."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.seed = space, seed
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.ledger = Ledger(space)
        self.parents: list[list[str]] = []  # by level that is ranked

    @property
    def finished(self) -> bool:
        return len(self.parents) == LEVELS

    def propose(self, room: int) -> tuple[Proposal, ...]:
        made = []
        while not self.finished and len(made) < room and self._proposed < WIDTH * (len(self.parents) + 1):
            if self.parents:
                parents = self.parents[-1]
                parent = self.space.parse(parents[int(self.random.integers(len(parents)))])
                architecture = self.space.mutate(parent, self.random)
            else:
                architecture = self.space.sample(self.random)
            made.append(self.ledger.propose(architecture, f"level {len(self.parents) + 1}"))
        return tuple(made)

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        return self.ledger.observe(proposal, outcome)

    def work(self) -> Work | None:
        level = self.ledger.rows[WIDTH * len(self.parents) :]
        if len(level) < WIDTH:
            return None
        request = json.dumps([(row.net, row.reward) for row in level]).encode()
        return Work(f"ranking level {len(self.parents) + 1}", request)

    def learn(self, answer: Learned) -> None:
        if self.work() is None or not answer.payload.startswith(b"ranked"):
            raise ValueError("there is no work whose answer this could be")
        self.parents.append(json.loads(answer.payload[6:]))

    def progress(self) -> Progress:
        counted = [row.reward > 0 for row in self.ledger.rows]
        stages = tuple(Stage(f"level {n + 1}", sum(counted[WIDTH * n : WIDTH * (n + 1)]), None) for n in range(LEVELS))
        return Progress(self.ledger.counted, None, min(len(self.parents), LEVELS - 1), stages)

    def position(self) -> dict[str, Any]:
        return {"random": stream.position(self.random)}

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        fresh, payloads = Levels(self.space, self.seed), list(learned)
        for _ in fresh.ledger.restore((p for p in payloads if not p.startswith(b"ranked")), open):
            pass
        fresh.parents = [json.loads(p[6:]) for p in payloads if p.startswith(b"ranked")]
        try:
            if position is not None:
                fresh.random = stream.restored(position["random"])
            elif payloads or open:
                raise ValueError("the position is missing")
        except (KeyError, TypeError) as error:
            raise ValueError(f"the position is damaged: {error}") from error
        self.__dict__.update(fresh.__dict__)

    @property
    def _proposed(self) -> int:
        return len(self.ledger.rows) + len(self.ledger.open)
