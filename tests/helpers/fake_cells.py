"""Made-up levels of a progressive search, for the fake daemon."""

import random

from nasd import protocol as p
from nasd.graph import Graph, Node
from nasd.protocol import pnas

OPERATORS = ("id", "sep3x3", "sep5x5", "conv1x7-7x1", "avg3x3", "max3x3", "dil3x3")
K, LAST = 256, 5
SCORED = {1: 136, 2: 31_620, 3: 131_072, 4: 204_800, 5: 291_840}


def draw(rng: random.Random, blocks: int) -> str:
    """A random cell."""
    made = []
    for number in range(blocks):
        sources = ["h-1", "h-2", *(f"b{other + 1}" for other in range(number))]
        terms = [f"{rng.choice(sources)} {rng.choice(OPERATORS)}" for _ in range(2)]
        made.append(f"({terms[0]}, {terms[1]})")
    return f"cell[{', '.join(made)}]"


def graph(net: str) -> Graph:
    """Its blocks in a row."""
    nodes = [Node(kind="input", text="", shape=(1, 28, 28))]
    nodes += [
        Node(kind="separable_conv", text=f"b{number}", shape=(24, 28, 28)) for number in range(1, net.count("(") + 1)
    ]
    nodes.append(Node(kind="classifier", text="softmax", shape=(10,), parameters=2410))
    return Graph(nodes=tuple(nodes), edges=tuple((index, index + 1) for index in range(len(nodes) - 1)))


def levels(rows: list[p.TrialRow], size: int) -> pnas.Levels:
    """Of these trials; `size` is that of all levels but the first."""
    found = []
    for blocks in range(1, LAST + 1):
        mine = [row for row in rows if row.facts.get("level") == blocks]
        if not mine:
            break
        rng = random.Random(blocks)
        bins = tuple(int(1000 * rng.random() * (10 - abs(place - 12))) for place in range(3, 20))
        found.append(
            pnas.Level(
                blocks=blocks, size=136 if blocks == 1 else size, done=sum(row.counted for row in mine),
                scored=SCORED[blocks], correlation=None if blocks == 1 else outcomes(rows, blocks).correlation,
                best=max(row.reward for row in mine), scores=None if blocks == 1 else (0.61, 0.91, bins),
            )
        )  # fmt: skip
    return pnas.Levels(
        levels=tuple(found), blocks=LAST, space="3,147,356,952,080", surrogate="mlp", acquisition="mean", k=size
    )


def cells(rows: list[p.TrialRow], size: int, params: pnas.CellsParams) -> pnas.Cells:
    """A page of a level."""
    blocks = max(0, params.blocks) or max(row.facts.get("level", 1) for row in rows)
    mine = [row for row in rows if row.facts.get("level") == blocks]
    rng, total = random.Random(blocks), 136 if blocks == 1 else max(size, len(mine))
    to_come = [
        pnas.CellRow(rank=rank + 1, net=draw(rng, blocks), state="open" if rank == len(mine) else "next",
                     prediction=0.9 - rank / 2e4, spread=0.011)
        for rank in range(len(mine), total)
    ]  # fmt: skip
    done = [
        pnas.CellRow(
            rank=rank, net=row.net, state="done" if row.counted else "failed", trial=row.number, reward=row.reward,
            prediction=row.facts.get("prediction"), spread=row.facts.get("spread"),
        )
        for rank, row in enumerate(mine, start=1)
    ]  # fmt: skip
    offset, limit = max(0, params.offset), max(1, min(params.limit, p.MAX_PAGE))
    return pnas.Cells(
        blocks=blocks, total=total, offset=offset, cells=tuple([*to_come, *done][offset : offset + limit])
    )


def outcomes(rows: list[p.TrialRow], blocks: int) -> pnas.Outcomes:
    """Prediction and reward."""
    blocks = blocks or max(row.facts.get("level", 1) for row in rows)
    mine = [row for row in rows if row.facts.get("level") == blocks and row.counted and "prediction" in row.facts]
    pairs = tuple((row.facts["prediction"], row.reward) for row in mine)
    return pnas.Outcomes(blocks=blocks, pairs=pairs, correlation=0.63 if len(pairs) > 1 else None)
