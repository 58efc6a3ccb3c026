"""Surrogates: what they learn, and that it is the same everywhere."""

import hashlib
import os
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nasd.config import CellsConfig, PnasConfig
from nasd.spaces.cells import CellSpace
from nasd.spaces.cells.arrays import encode
from nasd.strategies.pnas import ranking
from nasd.strategies.pnas.surrogates import lstm, make, mlp
from nasd.strategies.pnas.surrogates.rows import Rows, Scale

SPACE = CellSpace(CellsConfig(blocks=2))
WORTH = {"sep": 0.3, "max": 0.1, "con": 0.2}


def reward(net: str) -> float:
    """The mean worth of its operators, and a little for what reads the cell before."""
    operators = [word.strip(",()]") for word in net.split()[1::2]]
    return 0.4 + sum(WORTH.get(operator[:3], 0.0) for operator in operators) / len(operators) + net.count("h-1") / 200


def observed(count: int, seed: int = 0) -> list[tuple[str, float]]:
    random = np.random.default_rng(seed)
    nets = [*SPACE.cells(1), *(str(SPACE.sample(random)) for _ in range(count))]
    return [(net, reward(net)) for net in nets]


def predictions(kind: str, rows: list[tuple[str, float]], nets: list[str], seed: int = 1) -> Any:
    with threadpool_limits(1, user_api="blas"):
        surrogate = make(PnasConfig(surrogate=kind, ensemble=2), ranking.rows(SPACE, rows), seed, lambda done, of: None)
        return surrogate.predict(encode([SPACE.parse(net) for net in nets]))


def ranks(values: Any) -> Any:
    return np.argsort(np.argsort(values))


@pytest.mark.parametrize("kind", ["ridge", "mlp", "lstm"])
def test_larger_cells_are_ranked_by_what_smaller_ones_taught(kind: str) -> None:
    larger = CellSpace(CellsConfig(blocks=3))
    random = np.random.default_rng(9)
    nets = [str(larger.sample(random)) for _ in range(60)]
    found = predictions(kind, observed(100), nets)
    assert np.corrcoef(ranks(found.mean), ranks([reward(net) for net in nets]))[0, 1] > 0.8
    assert (found.spread >= 0).all()
    assert found.spread.max() > 0


@pytest.mark.parametrize("kind", ["ridge", "mlp"])
def test_cells_of_equal_blocks_are_told_from_varied_ones(kind: str) -> None:
    """As in deep priors, where equal blocks compute next to nothing new: the best term alone is a bad cell."""

    def varied(net: str) -> float:
        terms = re.findall(r"(\S+ [^\s,()]+)[,)]", net.replace("(", "( "))
        return reward(net) / 2 + 0.3 * len(set(terms)) / len(terms)

    random = np.random.default_rng(2)
    equal = [net for net in SPACE.cells(2) if len(set(re.findall(r"[hb]-?\d \S+?(?=[,)])", net))) == 1]
    nets = list({*equal, *(str(SPACE.sample(random)) for _ in range(300))})
    found = predictions(kind, [(net, varied(net)) for net in SPACE.cells(1)], nets)
    assert np.corrcoef(ranks(found.mean), ranks([varied(net) for net in nets]))[0, 1] > 0.75
    assert not set(equal) & {nets[place] for place in np.argsort(-found.mean)[:20]}


def test_what_only_larger_cells_have_is_not_credited_with_their_size() -> None:
    space = CellSpace(CellsConfig(blocks=2, operators=("id", "max3x3"), lookback=1))
    larger = [net for net in space.cells(2) if "b1 id" in net or "max3x3" in net]
    observed = [(net, 0.5 + 0.2 * (net.count("(") - 1)) for net in (*space.cells(1), *larger)]
    rows = ranking.rows(space, observed)
    scale = Scale(rows)
    assert scale.standard(rows) == pytest.approx(0, abs=1e-3)
    assert [float(scale.reward(np.zeros(1), blocks)[0]) for blocks in (1, 2, 3)] == pytest.approx([0.5, 0.7, 0.7])


@pytest.mark.parametrize("kind", ["ridge", "mlp", "lstm"])
def test_one_row_is_enough_and_equal_rewards_are_predicted(kind: str) -> None:
    nets = list(SPACE.cells(1))[:5]
    for rows in ([(nets[0], 0.5)], [(net, 0.5) for net in nets]):
        found = predictions(kind, rows, nets)
        assert np.isfinite(found.mean).all()
        assert found.mean[0] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_the_seed_decides(kind: str) -> None:
    nets = list(SPACE.cells(1))[:20]
    one, same, other = (predictions(kind, observed(0)[:40], nets, seed).mean for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


SCRIPT = """
import hashlib
from tests.strategies.test_pnas_surrogates import *
found = predictions("mlp", observed(60), list(SPACE.cells(1)))
print(hashlib.sha256(found.mean.tobytes()).hexdigest())
"""


def test_the_number_of_threads_makes_no_difference() -> None:
    digests = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(ended.stdout)
    digests.add(
        hashlib.sha256(predictions("mlp", observed(60), list(SPACE.cells(1))).mean.tobytes()).hexdigest() + "\n"
    )
    assert len(digests) == 1


@pytest.mark.parametrize("module", [mlp, lstm])
def test_gradients_are_those_of_finite_differences(module: Any) -> None:
    random = np.random.default_rng(4)
    rows = ranking.rows(SPACE, observed(6)[-6:])
    weights = module._initial(random)
    y = random.normal(size=6)
    x = rows.described() if module is mlp else lstm._tokens(np.stack(rows.codes))

    def loss() -> float:
        if module is mlp:
            first = np.maximum(x @ weights["embedding"] @ weights["weight1"] + weights["bias1"], 0)
            second = np.maximum(first @ weights["weight2"] + weights["bias2"], 0)
            out = second @ weights["weight3"] + weights["bias3"]
        else:
            out = lstm._output(weights, lstm._last(weights, x))
        return float(np.abs(out - y).mean())

    gradients = module._gradients(weights, x, y)
    for name, gradient in gradients.items():
        flat, expected = weights[name].reshape(-1), np.asarray(gradient).reshape(-1)
        for place in np.argsort(-np.abs(expected))[:3]:
            before, step = flat[place].copy(), 1e-6
            flat[place] = before + step
            above = loss()
            flat[place] = before - step
            below = loss()
            flat[place] = before
            assert (above - below) / (2 * step) == pytest.approx(expected[place], rel=1e-3, abs=1e-7), name


def test_a_written_form_of_a_cell_is_the_same_cell() -> None:
    random = np.random.default_rng(0)
    larger = CellSpace(CellsConfig(blocks=5))
    for _ in range(50):
        codes = encode([larger.sample(random)])
        other = lstm._renumbered(codes[0], random)
        assert (larger.canonical_codes(np.sort(other[None], axis=2)) == codes).all()


def test_ensembles_leave_out_a_share_each() -> None:
    rows = Rows([np.zeros((1, 2), np.uint8)] * 10, np.arange(10.0))
    assert rows[np.arange(10) % 5 != 1].rewards.tolist() == [0, 2, 3, 4, 5, 7, 8, 9]
