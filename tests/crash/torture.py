"""A search that is killed, stopped, starved and confused at random instants, and stays the same search, bit for bit.

    python tests/crash/torture.py [--events 1000] [--seed 1] [--minutes 60]

The daemon and its two workers are real processes; only the evaluation is made up (a function of architecture and seed).
An undisturbed search is the reference. Others of the same config are tormented, one after the other, until all events
have happened. After each event: what is committed is a prefix of the reference, trial by trial and Q-value by Q-value,
no shorter than what the daemon had said; the files verify and replay; a dead daemon left no process. Each search that
comes to its end has the digest of the reference and no file too many.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "daemon")]

import psutil  # noqa: E402 - the paths first
from nasd_harness import LIMIT, Process, make, short_folder, sound, tell, until  # noqa: E402

from nasd.verify import replay  # noqa: E402
from store import Run, files, is_owned, verify  # noqa: E402

DAEMON = Path(__file__).with_name("shifted_daemon.py")
TRIALS = 120
DISK = "16m"
EXPECTED = {
    "config.yaml", "run.db", "run.db-wal", "run.db-shm", "lock", "log", "embeddings", "weights", "stub.json", "clock",
    "ballast",
}  # fmt: skip


@dataclass
class Torture:
    """One reference, and the searches that are tormented."""

    home: Path
    seed: int
    trials: int = TRIALS
    counts: Counter = field(default_factory=Counter)
    finished: int = 0

    def __post_init__(self):
        self.draw = random.Random(self.seed)
        self.disk = small_disk(self.home / "disk")
        reference = self.make("reference")
        with self.start(reference) as daemon:
            daemon.ready().state("finished")
            assert daemon.end()[0] == 0
        self.digest = sound(reference)
        self.updates = updates_of(reference)
        self.kept = kept(reference)

    def close(self):
        if self.disk:
            subprocess.run(["umount", "-l", str(self.home / "disk")], check=True)

    def make(self, name):
        directory = make(
            self.home / ("disk" if self.disk else ""), self.trials, name="stub",
            store={"keep_embeddings": 3}, search={"lookahead": 3}, executor={"workers_per_device": 2},
        ).rename(self.home / ("disk" if self.disk else "") / name)  # fmt: skip
        tell(directory, embed=10, seconds=0.01)
        return directory

    def start(self, directory):
        return Process(directory, command=[sys.executable, str(DAEMON), str(directory)], start_new_session=True)

    def run(self, events):
        """Torment searches until these events have happened; each kind in turn, in a random order."""
        left = []
        while len(left) < events:
            left += self.draw.sample(sorted(EVENTS), len(EVENTS))
        left = left[:events]
        while left:
            directory = self.make(f"tormented-{self.finished}")
            self.torment(directory, left)
            shutil.rmtree(directory)

    def torment(self, directory, left):
        daemon = self.start(directory)
        try:
            daemon.ready()
            while left and not at_end(daemon):
                time.sleep(self.draw.uniform(0.0, 0.4))
                event = left.pop()
                said = status.progress.trials if (status := daemon.status()) else 0
                daemon = EVENTS[event](self, directory, daemon)
                self.counts[event] += 1
                self.check(directory, said, event)
            (directory / "clock").unlink(missing_ok=True)
            daemon.state("finished")
            workers = daemon.workers()
            assert daemon.end()[0] == 0
            assert not psutil.wait_procs(workers, timeout=LIMIT)[1], "a worker outlived its daemon"
        finally:
            with contextlib.suppress(psutil.Error, AssertionError):
                daemon.__exit__()
        assert sound(directory) == self.digest
        assert kept(directory) == self.kept
        assert {path.name for path in directory.iterdir()} <= EXPECTED
        assert not [name for name in files.names(directory / "embeddings") if name.startswith(files.TEMPORARY)]
        assert not is_owned(directory)
        self.finished += 1

    def check(self, directory, said, event):
        found = updates_of(directory)
        assert len(found) >= said, f"{event}: {said} trials were told of, {len(found)} are there"
        assert found == self.updates[: len(found)], f"{event}: the trials are others"
        with Run.open(directory) as run:  # the search goes on meanwhile
            problems = [problem for problem in verify.check(run) if "the next start" not in problem.what]
            assert not problems, f"{event}: {problems}"
            assert sum(1 for _ in replay(run)) >= len(found), event

    def again(self, directory, daemon):
        """After the daemon died: nothing is left of it, and the next one starts by itself."""
        daemon.process.wait(LIMIT)
        daemon.process.stderr.close()
        return self.start(directory).ready()


# --- events: each takes a running daemon, and gives back a running one -----------------------------------------------


def kill_daemon(torture, directory, daemon):
    daemon.kill()  # asserts that the workers end
    return torture.again(directory, daemon)


def kill_worker(torture, directory, daemon):
    hit(torture.draw.choice(daemon.workers() or [None]), signal.SIGKILL)
    return daemon


def kill_both(torture, directory, daemon):
    workers = daemon.workers()
    hit(torture.draw.choice(workers or [None]), signal.SIGKILL)
    daemon.process.kill()
    assert not psutil.wait_procs(workers, timeout=LIMIT)[1], "a worker outlived its daemon"
    return torture.again(directory, daemon)


def kill_group(torture, directory, daemon):
    workers = daemon.workers()
    os.killpg(daemon.pid, signal.SIGKILL)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    assert not psutil.wait_procs(workers, timeout=LIMIT)[1]
    return torture.again(directory, daemon)


def terminate(torture, directory, daemon):
    daemon.process.send_signal(signal.SIGTERM)
    return torture.again(directory, daemon)


def stop_worker(torture, directory, daemon):
    worker = torture.draw.choice(daemon.workers() or [None])
    hit(worker, signal.SIGSTOP)
    if worker is not None and torture.draw.random() < 0.5:  # half of the time nobody waits until it is replaced
        until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE or at_end(daemon), "its end")
    hit(worker, signal.SIGCONT)
    return daemon


def fill_disk(torture, directory, daemon):
    ballast = directory / "ballast"
    if torture.disk:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 14))
    time.sleep(torture.draw.uniform(0.0, 0.3))
    if torture.draw.random() < 0.5:
        daemon.kill()
        ballast.unlink(missing_ok=True)
        return torture.again(directory, daemon)
    ballast.unlink(missing_ok=True)
    return daemon


def read_only(torture, directory, daemon):
    daemon.kill()
    if torture.disk:
        subprocess.run(["mount", "-o", "remount,ro", str(torture.home / "disk")], check=True)
        try:
            code, said = torture.start(directory).end(signal.SIGCONT)
            assert code == 1, said
            assert said.startswith("nasd: ")
            assert "Traceback" not in said
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(torture.home / "disk")], check=True)
    return torture.again(directory, daemon)


def set_the_clock(torture, directory, daemon):
    (directory / "clock").write_text(str(torture.draw.choice([-1e9, -86400.0, -3600.0, -1.0, 3600.0, 1e8])))
    return daemon


def second_daemon(torture, directory, daemon):
    """Two at the same moment: one serves, the other says whose the run is."""
    daemon.kill()
    daemon.process.wait()
    both = [torture.start(directory), torture.start(directory)]
    until(lambda: any(one.process.poll() is not None for one in both), "the end of one of them")
    loser = next(one for one in both if one.process.poll() is not None)
    code, said = loser.end()
    assert (code, "is owned by" in said) == (4, True), said
    both.remove(loser)
    return both[0].ready()


EVENTS = {
    event.__name__: event
    for event in (
        kill_daemon, kill_worker, kill_both, kill_group, terminate, stop_worker, fill_disk, read_only, set_the_clock,
        second_daemon,
    )
}  # fmt: skip


# --- looking ---------------------------------------------------------------------------------------------------------


def hit(process, number):
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def at_end(daemon):
    status = daemon.status()
    return status is not None and status.state == "finished"


def updates_of(directory):
    """All that is a function of config and seed, by trial."""
    measured = {"embedding": None, "finished_at": 0.0, "seconds": 0.0, "peak_memory": 0, "device": ""}
    measured |= {"encode_seconds": 0.0, "train_seconds": 0.0}
    with Run.open(directory) as run:
        return [(replace(trial, **measured), update) for trial, update in run.updates()]


def kept(directory):
    with Run.open(directory) as run:
        return run.embeddings.kept()


def small_disk(place):
    """Whether a small file system could be mounted at `place`."""
    place.mkdir()
    if os.getuid() != 0:
        return False
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    return subprocess.run(mounting, capture_output=True, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="end sooner if this is over")
    arguments = parser.parse_args()
    began, batch = time.monotonic(), 2 * len(EVENTS)
    with short_folder() as home:
        torture = Torture(home, arguments.seed)
        try:
            while (left := arguments.events - torture.counts.total()) > 0:
                torture.run(min(left, batch))
                minutes = (time.monotonic() - began) / 60
                sys.stdout.write(f"{torture.counts.total():5} events, {torture.finished:4} searches the same, {minutes:5.1f} min\n")  # fmt: skip # noqa: E501
                sys.stdout.flush()
                if minutes > arguments.minutes:
                    break
        finally:
            torture.close()
    for event, count in sorted(torture.counts.items()):
        sys.stdout.write(f"  {event:<16}{count:5}\n")
    sys.stdout.write(f"identical, bit for bit: digest {torture.digest}\n")


if __name__ == "__main__":
    main()
