"""What nasd itself costs, evaluations excluded: propose, observe and commit, on disk and over a long run.

    python -m benchmarks.bookkeeping [--trials 3000] [--daemon-trials 500] [--directory DIR] [--json]

The search space and the learning are DP-NAS's defaults and every outcome has curves of 70 epochs; the outcomes are made
up, since they are not what is measured. Then the same through a real daemon and a worker process that answers at once:
what a trial costs from report to report. Then how long `nasd status` takes, cold, against that daemon. Use a directory
on the disk that runs are kept on: a commit is mostly fsync.
"""

import argparse
import itertools
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nasd import rooms
from nasd.client import Client, Target
from nasd.config import Config
from nasd.daemon.trial_rows import make_trial
from nasd.errors import NotRunningError
from nasd.evaluators.orders import Order
from nasd.executors.processes.worker import serve
from nasd.executors.work import Setup, Work
from nasd.outcome import Evaluated
from nasd.runs import create
from store import Delta, Learned, OpenProposal, Run

EDGE = 500  # trials measured at each end
EPOCHS = 70
COLD = 15  # starts of `nasd status`
STATUS = (sys.executable, "-c", "from nasd.cli import main; main()", "status")


def outcome(net: str, seed: int) -> Evaluated:
    """Made up, from nothing but (net, seed)."""
    draw = random.Random(f"{net} {seed}").random
    curve = tuple(0.2 + 0.7 * draw() for _ in range(EPOCHS))
    return Evaluated(
        reward=statistics.fmean(curve[-5:]),
        validation_accuracies=curve,
        train_accuracies=tuple(draw() for _ in range(EPOCHS)),
        test_accuracy=draw(),
        early_stopped=False,
        embedding_dim=3200,
        micro_batch=128,
    )


def configure(trials: int) -> Config:
    """DP-NAS's defaults with a schedule of its proportions."""
    explore = trials * 3 // 5
    rest = (trials - explore) // 10
    schedule = [[1.0, explore], *([round(1 - step / 10, 1), rest] for step in range(1, 10))]
    schedule.append([0.0, trials - sum(int(count) for _, count in schedule)])
    search = {"epsilon_schedule": schedule, "lookahead": 1}
    return Config.model_validate({"name": "run", "search": search, "executor": {"devices": ["cpu"], "threads": 1}})


def bookkeeping(directory: Path, trials: int) -> dict[str, float]:
    """Strategy and store in this process, one trial after the other."""
    config = configure(trials)
    create.create(config, directory)
    times: list[float] = []
    with Run.open(directory, writable=True) as run:
        strategy = rooms.strategy(config, rooms.space(config))
        (proposal,) = strategy.propose(1)
        run.commit(Delta(opened=(opened(proposal),), position=strategy.position()))
        while not strategy.finished:
            result = outcome(proposal.net, proposal.number) if proposal.kind == "evaluate" else None
            start = time.perf_counter()
            observed = strategy.observe(proposal, result)
            trial = make_trial(proposal, observed, result, order=len(times) + 1, seed=config.seed)
            following = strategy.propose(1)
            run.commit(
                Delta(
                    trial=trial,
                    learned=Learned(observed.learned.payload) if observed.learned else None,
                    position=strategy.position(),
                    opened=tuple(map(opened, following)),
                )
            )
            times.append(time.perf_counter() - start)
            if following:
                (proposal,) = following
    results: dict[str, float] = {
        "trials": len(times),
        "propose + observe + commit ms, first 500": 1e3 * statistics.median(times[:EDGE]),
        "propose + observe + commit ms, last 500": 1e3 * statistics.median(times[-EDGE:]),
        "99 % of the last 500, ms": 1e3 * statistics.quantiles(times[-EDGE:], n=100)[-1],
        "KB per trial": (directory / "run.db").stat().st_size / len(times) / 1e3,
    }
    start = time.perf_counter()
    with Run.open(directory) as run:
        checkpoint, learned = run.checkpoint(), list(run.learned())
    results["checkpoint s"] = time.perf_counter() - start
    start = time.perf_counter()
    rooms.strategy(config, rooms.space(config)).restore(checkpoint.position, learned, [])
    results["strategy from checkpoint s"] = time.perf_counter() - start
    return results


def opened(proposal) -> OpenProposal:  # type: ignore[no-untyped-def]
    return OpenProposal(proposal.number, proposal.net, proposal.kind, proposal.reason, proposal.stage, proposal.facts)


def through_the_daemon(directory: Path, trials: int) -> dict[str, float]:
    """A daemon and a worker, each a process of its own; then `nasd status` against it."""
    create.create(configure(trials), directory)
    command = (sys.executable, "-m", "benchmarks.bookkeeping", "--worker")
    code = (
        "import asyncio, sys; from pathlib import Path; from nasd.daemon.daemon import Daemon\n"
        "async def serve(): return await Daemon(Path(sys.argv[1]), worker_command=tuple(sys.argv[2:])).serve()\n"
        "asyncio.run(serve())"
    )
    daemon = subprocess.Popen([sys.executable, "-c", code, str(directory), *command])
    try:
        while not finished(directory):
            if daemon.poll() is not None:
                sys.exit(f"the daemon ended with exit code {daemon.returncode}")
            time.sleep(0.1)
        cold, busy = timed_starts((*STATUS, str(directory)))
        bare, _ = timed_starts((sys.executable, "-c", "pass"))
    finally:
        daemon.terminate()
        daemon.wait(60)
    with Run.open(directory) as run:
        ends = [trial.finished_at for trial in run.trials()]
    gaps = [after - before for before, after in itertools.pairwise(ends)]
    return {
        "through the daemon, ms a trial": 1e3 * statistics.median(gaps),
        "nasd status cold, ms": cold,
        "  of which on the CPU, ms": busy,
        "python alone, ms": bare,
    }


def timed_starts(command: tuple[str, ...]) -> tuple[float, float]:
    """Medians of the milliseconds that a command takes, and of those that it is on the CPU."""
    wall, busy = [], []
    for _ in range(COLD):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1e3 * statistics.median(wall), 1e3 * statistics.median(busy)


def finished(directory: Path) -> bool:
    try:
        with Client.connect(Target(directory=directory), 60) as client:
            return client.status().state == "finished"
    except NotRunningError:
        return False


def build(_: Setup) -> Work:
    return lambda order, _: (answer(order), {})


def answer(order: Order) -> Evaluated:
    return outcome(order.net, order.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--daemon-trials", type=int, default=500)
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="on the disk that runs are kept on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        serve(build)
        return
    if arguments.trials < 2 * EDGE:
        sys.exit(f"--trials must be at least {2 * EDGE}")
    with tempfile.TemporaryDirectory(dir=arguments.directory, prefix=".benchmark-") as directory:
        results = bookkeeping(Path(directory) / "a", arguments.trials)
        results |= through_the_daemon(Path(directory) / "b", arguments.daemon_trials)
    if arguments.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            print(f"{name:<42} {value:>10,.2f}")


if __name__ == "__main__":
    main()
