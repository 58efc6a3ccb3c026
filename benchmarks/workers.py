"""What more workers gain: one search through the real daemon, with one worker and with two, each pinned to a core.

    python -m benchmarks.workers [CONFIG] [--data DIR] [--trials 20] [--set KEY=VALUE]

The pace is counted between the first evaluated trial and the last, so that the start of the workers does not count; the
same architectures are evaluated every time (`search.lookahead` is fixed).
"""

import argparse
import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.kill_and_compare import make, schedule, undisturbed
from nasd import config as configuration
from store import Run

CONFIG = Path(__file__).parents[1] / "configs" / "fashion-mnist-cpu.yaml"
SETTINGS = ((1, 1), (1, 2), (2, 1))  # workers, threads of each


def pace(directory: Path) -> float:
    """Evaluated trials an hour."""
    with Run.open(directory) as run:
        ends = sorted(trial.finished_at for trial in run.trials() if trial.status == "evaluated")
    return (len(ends) - 1) / (ends[-1] - ends[0]) * 3600


@contextlib.contextmanager
def pinned(workers: int) -> Iterator[None]:
    """Inside, each of several workers below this process runs on a core of its own."""
    over = threading.Event()
    cores = sorted(os.sched_getaffinity(0))

    def watch() -> None:
        while not over.wait(0.2):
            with contextlib.suppress(psutil.Error, OSError):  # one that ends meanwhile
                running = psutil.Process().children(recursive=True)
                found = [p for p in running if "nasd.executors.processes.worker" in p.cmdline()]
                for core, worker in zip(cores, sorted(found, key=lambda process: process.pid), strict=False):
                    if worker.cpu_affinity() != [core]:
                        for thread in worker.threads():
                            os.sched_setaffinity(thread.id, [core])

    watching = threading.Thread(target=watch if workers > 1 else lambda: None)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=CONFIG)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as `nasd start --set`")
    arguments = parser.parse_args()
    print("| workers | threads each | trials an hour | times one worker with one thread | load average |")
    print("| --- | --- | --- | --- | --- |")
    first = None
    for workers, threads in SETTINGS:
        overrides = (
            f"data.root={arguments.data}", schedule(arguments.trials), "search.lookahead=2",
            f"executor.workers_per_device={workers}", f"executor.threads={threads}", "store.keep_embeddings=0",
            *arguments.set,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            directory = make(configuration.load(arguments.config, overrides), Path(folder) / "run")
            with pinned(workers):
                undisturbed(directory)
            rate = pace(directory)
        first = first or rate
        load = os.getloadavg()[0]
        print(f"| {workers} | {threads} | {rate:.0f} | {rate / first:.2f} | {load:.1f} |", flush=True)


if __name__ == "__main__":
    main()
