"""How well surrogates rank cells, and how much of a reward is chance: over random cells, not those that were chosen.

    python -m benchmarks.surrogates -o digits.csv [--config configs/pnas-digits.yaml] [--cells 150] [--again 50]

All cells of one block and random ones of two and three are evaluated as the config has it, some of them again with
other random weights. A row goes into the CSV as soon as it is known, and a script that is started again goes on behind
them. Prints of each number of blocks how far rewards of the same cell are apart, and of each surrogate Spearman's
correlation with rewards of larger cells than it was fitted to: to all of one block, and to 24 more of two blocks, which
are random or those that it predicts best. Minutes on one core.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.cells import Evaluations
from nasd import config as configuration
from nasd import rooms
from nasd.config import PnasConfig
from nasd.correlation import rank_correlation
from nasd.spaces.cells import CellSpace
from nasd.spaces.cells.arrays import encode
from nasd.strategies.pnas import ranking
from nasd.strategies.pnas.surrogates import make

COLUMNS = ("cell", "repeat", "reward")
CHOSEN = 24  # cells of two blocks that a surrogate learns from, besides all of one
SEEDS = 5
Rewards = dict[str, list[float]]


def plan(space: CellSpace, cells: int, again: int) -> Iterator[tuple[str, int]]:
    """Cells and which repeat it is, as they are to be evaluated."""
    drawn: list[list[str]] = [list(space.cells(1))]
    for blocks in (2, 3):
        random = np.random.default_rng(blocks)
        smaller = CellSpace(space.config.model_copy(update={"blocks": blocks}))
        different: dict[str, None] = {}
        while len(different) < min(cells, space.count(blocks)):
            different[str(smaller.sample(random))] = None
        drawn.append(list(different))
    for repeat, most in enumerate((None, again)):
        for level in drawn:
            yield from ((net, repeat) for net in level[:most])


def measure(evaluations: Evaluations, path: Path, wanted: list[tuple[str, int]]) -> None:
    """Append the rows that the file lacks."""
    known = set()
    if path.exists():
        with path.open(newline="") as stream:
            known = {(row["cell"], int(row["repeat"])) for row in csv.DictReader(stream)}
    else:
        path.write_text(",".join(COLUMNS) + "\n")
    for number, (net, repeat) in enumerate(wanted, start=1):
        if (net, repeat) not in known:
            reward = evaluations.accuracy(net, number)
            with path.open("a", newline="") as stream:
                csv.writer(stream).writerow((net, repeat, f"{reward:.6f}"))


def read(path: Path) -> Rewards:
    """Of each cell, in the order of its evaluations."""
    found: Rewards = {}
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["cell"], []).append(float(row["reward"]))
    return found


def chance(rewards: Rewards) -> str:
    """Standard deviations of rewards of one cell, and of what cells are worth, by number of blocks."""
    lines = []
    for blocks in (1, 2, 3):
        of = [values for net, values in rewards.items() if net.count("(") == blocks]
        again = np.array([values[:2] for values in of if len(values) > 1])
        repeats = float(np.sqrt(((again[:, 0] - again[:, 1]) ** 2).mean() / 2)) if len(again) else float("nan")
        all_ = float(np.std([values[0] for values in of]))
        worth = float(np.sqrt(max(all_**2 - repeats**2, 0)))
        lines.append(
            f"b={blocks}: {len(of)} cells, standard deviation {all_:.3f}; of one cell evaluated again {repeats:.3f} "
            f"({len(again)} cells), so that of what cells are worth is {worth:.3f}"
        )
    return "\n".join(lines)


def correlations(space: CellSpace, rewards: Rewards, kind: str) -> tuple[float, float, float]:
    """Of b=2 from b=1; of b=3 from b=1 and random cells of b=2; of b=3 from b=1 and the best by prediction."""
    search = PnasConfig.model_validate({"strategy": "pnas", "surrogate": kind})
    levels = {blocks: [net for net in rewards if net.count("(") == blocks] for blocks in (1, 2, 3)}

    def predicted(learned: list[str], of: list[str], seed: int) -> list[float]:
        rows = ranking.rows(space, [(net, rewards[net][0]) for net in learned])
        with threadpool_limits(1, user_api="blas"):
            surrogate = make(search, rows, seed, lambda _done, _of: None)
            return surrogate.predict(encode([space.parse(net) for net in of])).mean.tolist()

    def correlation(learned: list[str], blocks: int, seed: int) -> float:
        of = levels[blocks]
        return rank_correlation(predicted(learned, of, seed), [float(np.mean(rewards[net])) for net in of])

    found = []
    for seed in range(SEEDS):
        drawn = np.random.default_rng(seed).permutation(len(levels[2]))[:CHOSEN]
        best = np.argsort(predicted(levels[1], levels[2], seed))[::-1][:CHOSEN]
        found.append(
            (
                correlation(levels[1], 2, seed),
                correlation(levels[1] + [levels[2][place] for place in drawn], 3, seed),
                correlation(levels[1] + [levels[2][place] for place in best], 3, seed),
            )
        )
    first, second, third = np.mean(found, axis=0).tolist()
    return first, second, third


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/pnas-digits.yaml"))
    parser.add_argument("-o", "--csv", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=150, help="of two, and of three blocks")
    parser.add_argument("--again", type=int, default=50, help="of each number of blocks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        evaluations = Evaluations(arguments.config, ("executor.devices=[cpu]", "executor.threads=1"), Path(name))
        wanted = list(plan(evaluations.space, arguments.cells, arguments.again))
        measure(evaluations, arguments.csv, wanted)
    space = rooms.space(configuration.load(arguments.config, ()))
    assert isinstance(space, CellSpace)
    rewards = read(arguments.csv)
    sys.stdout.write(chance(rewards) + "\n")
    for kind in ("ridge", "mlp", "lstm"):
        first, second, third = correlations(space, rewards, kind)
        sys.stdout.write(f"{kind:5} Spearman of b=2 {first:.2f}; of b=3 {second:.2f}, by its own choice {third:.2f}\n")


if __name__ == "__main__":
    main()
