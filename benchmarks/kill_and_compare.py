"""One search undisturbed, the same search killed again and again: are they the same run, bit for bit?

    python -m benchmarks.kill_and_compare CONFIG [--data DIR] [--kills 10] [--trials 25] [--seed 1] [--set KEY=VALUE]

Both runs are daemons of their own (`python -m nasd.daemon`) with real workers. The second one's daemon and worker
take `--kills` SIGKILLs each, at moments drawn from `--seed`; after each death of the daemon no worker may be left, and
the run directory must verify as it lies there. In the end both must have equal digests: trials, curves, Q-values,
proposals, random states.

    python -m benchmarks.kill_and_compare CONFIG --jobs ...

The same of jobs: a search, then full trainings queued with `nasd retrain` by index, by string and by selection, once
undisturbed and once with a SIGKILL, of the daemon and of its worker in turn, in the middle of each. A job must go on at
the epoch that it had reached, and end with the same accuracies and weights.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from nasd import config as configuration
from nasd.client import Client, Target
from nasd.errors import NasdError
from nasd.protocol import Status, WorkerStatus
from nasd.runs import create
from nasd.runs.tables import export
from nasd.runs.verify import replay
from store import Run, soundness

COMMAND = (sys.executable, "-m", "nasd.cli")
DAEMON = (sys.executable, "-m", "nasd.daemon")
POLL = 0.05  # seconds
SELDOM = 0.3  # the same where there is no hurry: an answer takes the daemon's processor, and the worker starts on it


def schedule(trials: int) -> str:
    """All of epsilon in few trials, as an override."""
    explore, rest = max(1, trials // 2), trials - max(1, trials // 2)
    half = max(1, rest // 2)
    phases = [[1.0, explore], [0.5, half], [0.1, rest - half]]
    return f"search.epsilon_schedule={[phase for phase in phases if phase[1]]}"


@dataclass
class Kills:
    """SIGKILLs that are due, spread over the search, in an order and at moments drawn from a seed."""

    seed: int
    daemon: int
    worker: int
    longest: float  # seconds between the start of an evaluation and a kill
    trials: int  # that count
    done: list[str] = field(default_factory=list)

    def plan(self) -> list[tuple[str, int, float]]:
        """(target, counted trials from which it is due, seconds into an evaluation)."""
        draw = random.Random(self.seed)
        targets = ["daemon"] * self.daemon + ["worker"] * self.worker
        draw.shuffle(targets)
        return [
            (target, number * self.trials // len(targets), draw.uniform(0.0, self.longest))
            for number, target in enumerate(targets)
        ]


def make(config: configuration.Config, directory: Path) -> Path:
    create.create(create.settle(config), directory)
    return directory


def undisturbed(directory: Path) -> float:
    """Run a search to its end; returns seconds."""
    began = time.monotonic()
    daemon = start(directory)
    try:
        wait_until(lambda: finished(directory), daemon, poll=SELDOM)
    finally:
        stop(daemon)
    return time.monotonic() - began


def killed(directory: Path, kills: Kills, say: Callable[[str], None] = print) -> float:
    """Run a search to its end through all of its kills; returns seconds."""
    began = time.monotonic()
    daemon = start(directory)
    try:
        for target, due, delay in kills.plan():
            # From the moment at which an evaluation is under way, so that a slow start does not swallow the kills.
            pid = wait_until(lambda due=due: busy_worker(directory, due) or finished(directory), daemon)
            if pid is True:
                break
            time.sleep(delay)
            if target == "worker":
                hit(busy_worker(directory) or pid)
            else:
                workers = psutil.Process(daemon.pid).children(recursive=True)
                daemon.kill()
                daemon.wait()
                assert not psutil.wait_procs(workers, timeout=30)[1], "a worker outlived its daemon"
                check(directory)
                daemon = start(directory)
            kills.done.append(target)
            with Run.open(directory) as run:
                say(f"  {len(kills.done):3} killed the {target} {delay:5.2f} s later, {run.count()} trials so far")
        wait_until(lambda: finished(directory), daemon, poll=SELDOM)
    finally:
        stop(daemon)
    return time.monotonic() - began


def check(directory: Path) -> int:
    """The run as it lies there, checked and replayed; returns its trials."""
    with Run.open(directory) as run:
        problems = [
            p for p in soundness.check(run) if "was not finished" not in p.what and "refers to it" not in p.what
        ]
        assert not problems, problems
        return sum(1 for _ in replay(run))


def compare(first: Path, second: Path) -> str:
    """The digest that both have.

    Raises:
        AssertionError: They differ.
    """
    with Run.open(first) as one, Run.open(second) as two:
        for a, b in zip(one.steps(), two.steps(), strict=True):
            assert deterministic(a.trial) == deterministic(b.trial), (a.trial, b.trial)
            assert a.learned == b.learned, f"what was learned of {a.trial} differs"
        digests = soundness.digest(one), soundness.digest(two)
        assert digests[0] == digests[1], digests
        kept = one.embeddings.kept(), two.embeddings.kept()
        assert kept[0] == kept[1], kept
        return digests[0]


def deterministic(trial: object) -> dict[str, object]:
    measured = ("finished_at", "seconds", "encode_seconds", "train_seconds", "peak_memory", "device")
    slots = getattr(trial, "__slots__", ())  # a step of thinking has no trial
    return {name: getattr(trial, name) for name in slots if name not in measured}  # type: ignore[attr-defined]


def retrained(directory: Path, seed: int | None, say: Callable[[str], None] = print) -> float:
    """Queue jobs and run them to their end; returns seconds.

    Args:
        directory: A finished search.
        seed: Of the epochs in which a job is killed, once each; None: undisturbed.
        say: Told of each kill.
    """
    began = time.monotonic()
    daemon = start(directory)
    try:
        wait_until(lambda: finished(directory), daemon, poll=SELDOM)
        jobs = queue(directory)
        draw = random.Random(seed)
        for number, id in enumerate(jobs if seed is not None else ()):
            due = draw.uniform(0.2, 0.8)  # the share of its epochs
            worker = wait_until(lambda id=id, due=due: training(directory, id, due), daemon)
            target = ("daemon", "worker")[number % 2]
            if target == "daemon":
                workers = psutil.Process(daemon.pid).children(recursive=True)
                daemon.kill()
                daemon.wait()
                assert not psutil.wait_procs(workers, timeout=30)[1], "a worker outlived its daemon"
                daemon = start(directory)
            else:
                hit(worker.pid)
            again = wait_until(lambda id=id, pid=worker.pid: training(directory, id, 0.0, killed=pid), daemon)
            epoch = again.epoch - len(again.validation_accuracies)  # those that this process has trained
            assert epoch >= worker.epoch, f"job {id} was killed at epoch {worker.epoch} and went on at {epoch}"
            say(f"  killed the {target} at epoch {worker.epoch} of job {id}, which went on at epoch {epoch}")
        wait_until(lambda: (found := status(directory)) and not found.jobs_queued, daemon)
    finally:
        stop(daemon)
    return time.monotonic() - began


def queue(directory: Path) -> list[int]:
    """Have full trainings queued, as a person does; returns their numbers."""
    table = directory / "exports" / "replay_buffer.csv"
    with Run.open(directory) as run:
        export(run, "replay_buffer", table)
        best = run.best(1)[0].net
    for named in (["--csv", str(table), "--index", "1"], ["--net", best], ["--select", "low,mid,top:1"]):
        subprocess.run([*COMMAND, "retrain", str(directory), *named, "--full"], check=True, stdout=subprocess.DEVNULL)
    with Run.open(directory) as run:
        return [job.id for job in run.jobs()]


def training(directory: Path, job: int, share: float, killed: int | None = None) -> WorkerStatus | None:
    """The worker that trains a job, once it has done this share of the epochs; not the process that was killed."""
    found = status(directory)
    for worker in found.workers if found else ():
        here = worker.job == job and worker.pid != killed and worker.stage == "train"
        if here and worker.epoch >= share * worker.epochs:
            return worker
    return None


def compare_jobs(first: Path, second: Path) -> int:
    """How many files of weights are the same in both, as are all results.

    Raises:
        AssertionError: They differ.
    """
    results = [], []
    for directory, found in zip((first, second), results, strict=True):
        with Run.open(directory) as run:
            for job in run.jobs():
                assert job.status == "done", job
                found += [{**repeat, "seconds": 0.0} for repeat in job.result["repeats"]]  # type: ignore[index]
    assert results[0] == results[1], results
    names = [name for repeat in results[0] for name in repeat["weights"]]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), f"{name} differs"
    return len(names)


def start(directory: Path) -> "subprocess.Popen[bytes]":
    return start_command(directory, [*DAEMON, str(directory)])


def start_command(directory: Path, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    with (directory / "log" / "daemon.out").open("ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def stop(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.terminate()
    daemon.wait(60)


def status(directory: Path) -> Status | None:
    try:
        with Client.connect(Target(directory=directory), timeout=30) as client:
            return client.status()
    except NasdError:
        return None


def finished(directory: Path) -> bool:
    found = status(directory)
    if found is not None and found.state == "failed":
        raise AssertionError(f"the search failed: {found.problems}")
    return found is not None and found.state == "finished"


def busy_worker(directory: Path, due: int = 0) -> int | None:
    """The worker that evaluates, once `due` trials have counted."""
    found = status(directory)
    if found is None or found.progress.counted < due:
        return None
    return next((worker.pid for worker in found.workers if worker.state == "busy"), None)


def hit(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(
    condition: Callable[[], Any], daemon: "subprocess.Popen[bytes]", seconds: float = 3600.0, poll: float = POLL
) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert daemon.poll() is None, f"the daemon ended with exit code {daemon.returncode}"
        assert time.monotonic() < deadline, "the search does not come to its end"
        time.sleep(poll)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--kills", type=int, default=10, help="of the daemon, and as many of its worker")
    parser.add_argument("--trials", type=int, default=25, help="that count")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    parser.add_argument("--longest", type=float, default=8.0, help="seconds between the start of a trial and a kill")
    parser.add_argument("--jobs", action="store_true", help="kill jobs instead")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    data = os.environ.get("NASD_DATA") or str(arguments.data.absolute())
    overrides = (f"data.root={data}", schedule(arguments.trials), *arguments.overrides)
    config = configuration.load(arguments.config, overrides)
    kills = Kills(arguments.seed, arguments.kills, arguments.kills, arguments.longest, arguments.trials)
    with tempfile.TemporaryDirectory(prefix="nasd-kill-") as folder:
        first, second = make(config, Path(folder) / "one"), make(config, Path(folder) / "two")
        print(f"{config.name}: {arguments.trials} trials that count, undisturbed", flush=True)
        took = undisturbed(first)
        print(f"  {check(first)} trials in {took:.0f} s", flush=True)
        if arguments.jobs:
            shutil.rmtree(second)
            shutil.copytree(first, second)
            print("full trainings by index, by string and by selection, undisturbed", flush=True)
            print(f"  {retrained(first, None):.0f} s", flush=True)
            print("the same with a SIGKILL in the middle of each", flush=True)
            print(f"  {retrained(second, arguments.seed, lambda line: print(line, flush=True)):.0f} s", flush=True)
            print(f"identical, bit for bit: all accuracies, {compare_jobs(first, second)} files of weights")
            return
        print(f"the same with {arguments.kills} SIGKILLs of the daemon and {arguments.kills} of its worker", flush=True)
        took = killed(second, kills, lambda line: print(line, flush=True))
        print(f"  {check(second)} trials in {took:.0f} s, after {len(kills.done)} kills", flush=True)
        digest = compare(first, second)
    print(f"identical, bit for bit: digest {digest}")
    if len(kills.done) < 2 * arguments.kills:
        sys.exit(f"only {len(kills.done)} kills found an evaluation under way: ask for more trials")


if __name__ == "__main__":
    main()
