"""What a Ray cluster costs the daemon: stub evaluations of a second on several raylets of this box.

    python -m benchmarks.cluster [--workers 1 2 4 8 16 32 64] [--nodes 4] [--seconds 1.0] [--trials 6]
    python -m benchmarks.cluster --simulate DAEMON BRIDGE [--beat BEAT] [--workers ...]

For each number of workers: trials a second, the processor time that daemon and bridge take for a trial, the resident
memory of an actor with its worker. Then, with one worker and evaluations of no length, the time of a trial on the
cluster and on local processes, and the processor time of a worker that evaluates for long. `--simulate` asks what that
comes to with more workers than this box can hold: a trial takes DAEMON and then BRIDGE milliseconds of a processor, one
trial after the other, its evaluation runs beside all others, and each worker's signs of life take BEAT milliseconds a
second of the bridge's.
"""

import argparse
import contextlib
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.kill_and_compare import start_command, status, stop
from store import Run
from tests.helpers import cluster
from tests.helpers.nasd_harness import make, tell

DAEMON = Path(__file__).parents[1] / "tests" / "helpers" / "stub_daemon.py"
ASKED = 2.0  # seconds between two questions to the daemon
WATCHED = 10.0  # seconds in which workers that evaluate for long are watched


class Used(NamedTuple):
    """Processor seconds of a daemon and of its bridge."""

    daemon: float
    bridge: float

    def since(self, before: "Used") -> "Used":
        return Used(self.daemon - before.daemon, self.bridge - before.bridge)


def used(daemon: psutil.Process) -> Used:
    bridges = [each for each in daemon.children() if "nasd.executors.ray.bridge" in each.cmdline()]
    return Used(_seconds(daemon), sum(map(_seconds, bridges)))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextlib.contextmanager
def running(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    daemon = start_command(directory, [sys.executable, str(DAEMON), str(directory)])
    try:
        yield daemon
    finally:
        (directory / "gate").unlink(missing_ok=True)
        stop(daemon)


def search(directory: Path, seconds: float, workers: int) -> dict[str, float]:
    """Run a search to its end: trials a second and processor milliseconds a trial once all workers run, and the
    memory of a worker.
    """
    tell(directory, seconds=seconds)  # type: ignore[no-untyped-call]
    (directory / "gate").touch()  # until all have a place: that is not what is measured
    with running(directory) as daemon:
        process = psutil.Process(daemon.pid)
        busy = wait(lambda: _busy(directory, workers), daemon)
        memory = sum(_memory(worker.pid) for worker in busy) / workers
        before = used(process)
        time.sleep(WATCHED)
        idle = used(process).since(before)
        before = used(process)
        (directory / "gate").unlink()
        wait(lambda: (found := status(directory)) and found.state == "finished", daemon)
        took = used(process).since(before)
    with Run.open(directory) as run:
        ends = sorted(trial.finished_at for trial in run.trials() if trial.status == "evaluated")
    ends = ends[workers:-workers] if len(ends) > 4 * workers else ends  # the first come together, the last one by one
    return {
        "workers": workers,
        "trials_per_second": (len(ends) - 1) / (ends[-1] - ends[0]),
        "daemon_ms": 1e3 * took.daemon / (len(ends) + 2 * workers),
        "bridge_ms": 1e3 * took.bridge / (len(ends) + 2 * workers),
        "waiting_daemon_ms_per_second": 1e3 * idle.daemon / WATCHED,
        "waiting_bridge_ms_per_second": 1e3 * idle.bridge / WATCHED,
        "memory": memory,
        "load": os.getloadavg()[0],
    }


def wait(condition: Callable[[], Any], daemon: "subprocess.Popen[bytes]") -> Any:
    """Ask rarely: an answer takes the daemon's processor too."""
    while not (found := condition()):
        assert daemon.poll() is None, f"the daemon ended with exit code {daemon.returncode}"
        time.sleep(ASKED)
    return found


def _busy(directory: Path, workers: int) -> list[Any]:
    found = status(directory)
    busy = [worker for worker in found.workers if worker.stage == "train"] if found else []
    return busy if len(busy) == workers else []


def _memory(pid: int) -> float:
    """Of a worker, and of its actor where it has one: bytes that nobody else has."""
    worker = psutil.Process(pid)
    found = [worker]
    if (parent := worker.parent()) is not None and "ray::" in " ".join(parent.cmdline()):
        found.append(parent)
    return float(sum(process.memory_full_info().uss for process in found))


def simulate(workers: int, seconds: float, daemon: float, bridge: float, beat: float) -> float:
    """Trials a second of `workers` that evaluate for `seconds` each, where every trial takes the daemon and the bridge,
    one after the other, some seconds of their one processor each, and every worker a share `beat` of the bridge's.
    """
    share = 1.0 - beat * workers
    if share <= 0.0:
        return 0.0
    free = {"daemon": 0.0, "bridge": 0.0}
    ends = [(seconds * number / workers, number) for number in range(workers)]
    warm, trials = 10 * workers, 10 * workers + 200
    begun = now = 0.0
    for trial in range(warm + trials):
        now, number = heapq.heappop(ends)
        begun = now if trial == warm else begun
        for server, cost in (("daemon", daemon), ("bridge", bridge / share)):
            free[server] = now = max(now, free[server]) + cost
        heapq.heappush(ends, (now + seconds, number))
    return trials / (now - begun) if now > begun else 0.0


def table(daemon: float, bridge: float, beat: float, workers: Sequence[int]) -> None:
    print(f"simulated: daemon {daemon:g} ms and bridge {bridge:g} ms a trial, {beat:g} ms a second for each worker")
    lengths = (1.0, 10.0, 60.0, 600.0)
    print(
        "  workers " + "".join(f"{f'{length:g} s':>12}" for length in lengths) + "   trials a second (share of ideal)"
    )
    for number in workers:
        rates = [simulate(number, length, daemon / 1e3, bridge / 1e3, beat / 1e3) for length in lengths]
        shares = [
            f"{rate:.3g} ({100 * rate * length / number:.0f} %)" for rate, length in zip(rates, lengths, strict=True)
        ]
        print(f"  {number:>7} " + "".join(f"{share:>12}" for share in shares), flush=True)


def measure(arguments: argparse.Namespace) -> None:
    os.environ |= cluster.LOOPBACK
    largest = max(arguments.workers)
    with tempfile.TemporaryDirectory(prefix="n") as folder:
        per_node = -(-largest // arguments.nodes)
        raylets = cluster.Cluster(nodes=arguments.nodes, cpus=per_node)  # type: ignore[no-untyped-call]
        try:
            for workers in arguments.workers:
                found = search(
                    _make(Path(folder), raylets.address, workers, arguments.trials), arguments.seconds, workers
                )
                print(json.dumps({"executor": "ray", **found}), flush=True)
            for address in (raylets.address, None):
                found = search(_make(Path(folder), address, 1, 200, name="short"), 0.0, 1)
                print(json.dumps({"executor": "ray" if address else "processes", **found}), flush=True)
        finally:
            raylets.close()  # type: ignore[no-untyped-call]


def _make(folder: Path, address: str | None, workers: int, trials: int, name: str = "long") -> Path:
    directory = folder / f"{name}-{workers}-{'ray' if address else 'local'}"
    executor: dict[str, Any] = {"workers_per_device": workers}
    if address:
        executor = {"kind": "ray", "address": address, "workers": workers, "scratch": str(directory)}
    made = make(folder, trials * workers, "random", search={"lookahead": workers}, executor=executor)  # type: ignore[no-untyped-call]
    return Path(made.rename(directory))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--trials", type=int, default=6, help="for each worker")
    parser.add_argument("--simulate", type=float, nargs=2, metavar=("DAEMON", "BRIDGE"))
    parser.add_argument("--beat", type=float, default=0.0)
    arguments = parser.parse_args()
    if arguments.simulate:
        table(*arguments.simulate, arguments.beat, arguments.workers or (1, 16, 64, 250, 1000, 4000))
    else:
        arguments.workers = arguments.workers or [1, 2, 4, 8, 16, 32, 64]
        measure(arguments)


if __name__ == "__main__":
    main()
