"""What a made-up search has learned."""

from collections import Counter
from itertools import pairwise
from typing import get_args

import numpy as np

from nasd import protocol as p
from nasd.runs.insight import Value, front, importances, rolling
from tests.helpers.fake_search import World, graph_of


def insight(world: World, points: int) -> p.Insight:
    """As a daemon answers it."""
    rewards = np.array(world.rewards)
    best = np.maximum.accumulate(rewards) if len(rewards) else rewards
    means = rolling(rewards, 20)
    better = [0, *(after for after, (a, b) in enumerate(pairwise(best), 1) if b > a)] if len(rewards) else []
    shown = sorted({*better, *np.linspace(0, len(rewards) - 1, min(points, len(rewards))).astype(int).tolist()})
    rows = [row for row in world.rows if row.status in ("evaluated", "early_stopped")]
    of_rows = np.array([row.reward for row in rows])
    found = importances([decisions(row.net) for row in rows], of_rows)
    return p.Insight(
        read=len(world.rows), of=len(world.rows), window=20,
        curve=tuple(
            p.CurvePoint(
                trial=world.counted_numbers[i], reward=float(rewards[i]), mean=float(means[i]), best=float(best[i])
            )
            for i in shown
        ),
        records=tuple(
            p.Record(trial=number, net=world.rows[number - 1].net, reward=world.rows[number - 1].reward)
            for number in (world.counted_numbers[i] for i in better)
        ),
        fronts=tuple(_front(axis, rows, of_rows, points) for axis in get_args(p.FrontAxis)),
        r2=found.r2, rows=found.rows,
        decisions=tuple(
            p.Decision(
                name=worth.name, importance=worth.importance, spread=worth.spread,
                levels=tuple(
                    p.Level(label=one.label, count=one.count, effect=one.effect, error=one.error)
                    for one in worth.levels
                ),
            )
            for worth in found.worths
        ),
        stages=world.stage_rewards(),
    )  # fmt: skip


def decisions(net: str) -> dict[str, Value]:
    """Some of what a space would say."""
    if not net.startswith("["):
        words = net.replace("cell[", "").replace("(", "").replace(")", "").replace("]", "").replace(",", "").split()
        return {f"operator {word}": number for word, number in Counter(words[1::2]).items()}
    layers = [layer for layer in net.strip("[]").split(", ") if layer.startswith("C")]
    made: dict[str, Value] = {"depth": len(layers), "pooling layers": net.count("P(")}
    for place, layer in enumerate(layers, 1):
        features, size, *_ = layer[2:-1].split(",")
        made |= {f"layer {place}: size": int(size), f"layer {place}: features": int(features)}
    return made


def _front(
    axis: p.FrontAxis, rows: list[p.TrialRow], rewards: "np.ndarray[tuple[int], np.dtype[np.float64]]", points: int
) -> p.Front:
    costs = np.array([_cost(axis, row) for row in rows])
    every = max(1, len(rows) // points)
    return p.Front(
        axis=axis,
        trials=tuple(
            p.FrontTrial(trial=rows[i].number, net=rows[i].net, reward=rows[i].reward, cost=float(costs[i]))
            for i in front(costs, rewards)
        ),
        cloud=tuple((float(costs[i]), rows[i].reward) for i in range(0, len(rows), every)),
    )


def _cost(axis: p.FrontAxis, row: p.TrialRow) -> float:
    if axis == "seconds":
        return row.seconds
    if not row.net.startswith("["):
        return 1000.0 * len(row.net)
    graph = graph_of(row.net)
    return graph.parameters if axis == "parameters" else graph.nodes[-2].shape[0]
