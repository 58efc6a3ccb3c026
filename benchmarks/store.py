"""What a commit costs at the start and at the end of a long run, and what reading it back costs.

    python -m benchmarks.store [--trials 3000] [--directory DIR] [--json]

Every delta is as large as a real one of Q-learning: curves of 70 epochs, a payload of some 450 Q-values and ten new
transitions, one proposal opened, a position of 250 bytes. Use a directory on the disk that runs are kept on: a commit
is mostly fsync.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from store import Delta, Learned, OpenProposal, Run, Trial, TrialSort

EDGE = 500  # commits measured at each end
PAYLOAD = 5800  # bytes
EPOCHS = 70
SORTS: tuple[TrialSort, ...] = (
    "number", "reward", "best_validation", "test_accuracy", "seconds", "finished_at",
)  # fmt: skip


class Source:
    """Deltas of a made-up search, the same in every run."""

    def __init__(self) -> None:
        self.random = random.Random(1)

    def net(self, number: int) -> str:
        layers = ", ".join(f"C({2 ** self.random.randint(4, 10)},3,1,1,1)" for _ in range(9))
        return f"[{layers}, P(4,4,0,0), C({number},1,1,0,1), SM(10)]"

    def proposal(self, number: int) -> OpenProposal:
        return OpenProposal(number, self.net(number), "evaluate", stage="e=1", facts={"epsilon": 1.0})

    def delta(self, number: int, net: str) -> Delta:
        draw = self.random.random
        return Delta(
            trial=Trial(
                number=number,
                order=number,
                net=net,
                status="evaluated",
                stage="e=1",
                facts={"epsilon": 1.0},
                reward=draw(),
                counted=True,
                seed=self.random.getrandbits(64),
                validation_accuracies=tuple(draw() for _ in range(EPOCHS)),
                train_accuracies=tuple(draw() for _ in range(EPOCHS)),
                test_accuracy=draw(),
                embedding_dim=3200,
                micro_batch=128,
                finished_at=time.time(),
                seconds=10 * draw(),
                device="cpu",
            ),
            learned=Learned(self.random.randbytes(PAYLOAD)),
            position={
                "generator": "PCG64",
                "state": str(self.random.getrandbits(128)),
                "counted": number,
                "note": "x" * 150,
            },
            opened=(self.proposal(number + 1),),
        )


def measure(directory: Path, trials: int) -> dict[str, float]:
    source = Source()
    results: dict[str, float] = {}
    run = Run.create(directory / "run", "seed: 1\n", name="benchmark", version="0")
    proposal = source.proposal(1)
    run.commit(Delta(opened=(proposal,)))
    times = []
    for number in range(1, trials + 1):
        delta = source.delta(number, proposal.net)
        start = time.perf_counter()
        run.commit(delta)
        times.append(time.perf_counter() - start)
        (proposal,) = delta.opened
    results["commit ms, first 500"] = 1e3 * statistics.median(times[:EDGE])
    results["commit ms, last 500"] = 1e3 * statistics.median(times[-EDGE:])
    results["commit ms, 99 % of the last 500"] = 1e3 * statistics.quantiles(times[-EDGE:], n=100)[-1]
    run.close()
    results["KB per trial"] = (directory / "run" / "run.db").stat().st_size / trials / 1e3
    start = time.perf_counter()
    Run.open(directory / "run", writable=True).close()
    results["open for writing s"] = time.perf_counter() - start
    with Run.open(directory / "run") as run:
        start = time.perf_counter()
        run.checkpoint()
        results["checkpoint s"] = time.perf_counter() - start
        results["all payloads s"] = timed(lambda: deque(run.learned(), maxlen=0))
        results["all trials s"] = trials_alone = timed(run.trials)
        results["all trials, observed s"] = timed(lambda: deque(run.observed(), maxlen=0))
        results["all trials, payloads s"] = timed(lambda: deque(run.steps(), maxlen=0))
        results["observed : alone"] = results["all trials, observed s"] / trials_alone
        for sort in SORTS:
            results[f"page by {sort}, ms"] = 1e3 * timed(
                lambda sort=sort: run.trials(offset=trials // 2, limit=100, sort=sort, descending=True)
            )
        results["page by status, ms"] = 1e3 * timed(
            lambda: run.trials(limit=100, sort="reward", descending=True, status=("early_stopped",))
        )
        results["page by text, ms"] = 1e3 * timed(lambda: run.trials(limit=100, text="c(77,"))
        results["count, ms"] = 1e3 * timed(run.count)
        results["by status, ms"] = 1e3 * timed(run.by_status)
        results["best 5, ms"] = 1e3 * timed(lambda: run.best(5))
        results["rewards, ms"] = 1e3 * timed(run.rewards)
    return results


def timed(call) -> float:  # type: ignore[no-untyped-def]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="on the disk that runs are kept on")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.trials < 2 * EDGE:
        sys.exit(f"--trials must be at least {2 * EDGE}")
    with tempfile.TemporaryDirectory(dir=arguments.directory, prefix=".benchmark-") as directory:
        results = measure(Path(directory), arguments.trials)
    if arguments.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            print(f"{name:>32} {value:10.2f}")


if __name__ == "__main__":
    main()
