"""A long search with clients that come and go: does anything grow that should not?

    python tests/crash/soak.py [--trials 100000] [--clients 10] [--samples 10]

The evaluation is made up and takes no time, so that a hundred thousand trials fit into an hour. A table of what the
daemon takes, as the search goes on: memory, descriptors, threads, bytes of the database a trial, milliseconds a commit.
"""

import argparse
import contextlib
import itertools
import random
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from nasd import protocol
from nasd.client import Client, Target
from nasd.errors import NasdError
from tests.helpers.nasd_harness import SPACE, Process, make, short_folder, sound, until

DAEMON = Path(__file__).with_name("soak_daemon.py")
WIDE = {**SPACE, "max_conv": 8, "conv_features": [16, 32, 64, 128, 256]}  # few architectures are drawn twice


@dataclass(frozen=True)
class Sample:
    """What the daemon takes after so many trials."""

    trials: int
    memory: float  # MB
    descriptors: int
    threads: int
    database: float  # KB a trial
    commit: float  # ms, the median of the trials since the last sample
    log_files: int
    rate: float  # trials a second


def come_and_go(directory, seed, end):
    """A client: attach, listen for a while, look at some pages, leave; again."""
    draw = random.Random(seed)
    while not end.is_set():
        with contextlib.suppress(NasdError, OSError), Client.connect(Target(directory=directory), 30) as client:
            client.subscribe()
            for _ in itertools.islice(client.events(), draw.randrange(1, 200)):
                if end.is_set():
                    break
            client.call("trials", protocol.TrialsParams(limit=100, offset=draw.randrange(1000)))
            client.call("rewards", protocol.RewardsParams(points=200))
            client.call("log", protocol.LogParams(limit=100))
        end.wait(draw.uniform(0.0, 0.5))


def progress(daemon):
    """How many trials there are; a busy machine may let the daemon's answer wait beyond a client's patience."""

    def told():
        if daemon.process.poll() is not None:
            log = (daemon.directory / "log" / "daemon.jsonl").read_text()
            raise AssertionError(f"the daemon ended: {daemon.process.stderr.read()}\n{log[-2000:]}")
        return daemon.status()

    return until(told, "an answer").progress.trials


def soak(home, trials, clients, samples):
    """Samples of one search, from its beginning to its end."""
    directory = make(home, 10 * trials, space=WIDE, search={"lookahead": 4}, log={"max_bytes": 500_000, "keep": 3})
    end = threading.Event()
    with Process(directory, command=[sys.executable, str(DAEMON), str(directory)]) as daemon:
        daemon.ready()
        process = psutil.Process(daemon.pid)
        threads = [threading.Thread(target=come_and_go, args=(directory, seed, end)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        try:
            read, before, last = 0, 0, time.monotonic()
            for due in range(trials // samples, trials + 1, trials // samples):
                while (reached := progress(daemon)) < due:
                    time.sleep(0.2)
                commits = [float(line) for line in (directory / "commits").read_text().splitlines()[read:-1]]
                read += len(commits)
                now = time.monotonic()
                size = sum((directory / name).stat().st_size for name in ("run.db", "run.db-wal"))
                logs = list((directory / "log").glob("daemon.jsonl*"))
                yield Sample(
                    reached,
                    process.memory_info().rss / 1e6,
                    process.num_fds(),
                    process.num_threads(),
                    size / reached / 1e3,
                    1e3 * statistics.median(commits),
                    len(logs),
                    (reached - before) / (now - last),
                )
                before, last = reached, now
        finally:
            end.set()
            for thread in threads:
                thread.join()
        assert daemon.end()[0] == 0
    sound(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--samples", type=int, default=10)
    arguments = parser.parse_args()
    sys.stdout.write("  trials  memory MB  descriptors  threads  KB/trial  ms/commit  log files  trials/s\n")
    with short_folder() as home:
        for at in soak(home, arguments.trials, arguments.clients, arguments.samples):
            sys.stdout.write(
                f"{at.trials:8}{at.memory:11.1f}{at.descriptors:13}{at.threads:9}{at.database:10.2f}{at.commit:11.2f}"
                f"{at.log_files:11}{at.rate:10.1f}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
