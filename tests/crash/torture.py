"""A search that is killed, stopped, starved and confused at random instants, and stays the same search, bit for bit.

    python -m tests.crash.torture [--strategy qlearning] [--executor processes] [--kills 1000] [--seed 1] [--minutes 60]

The daemon and its two workers are real processes; only the evaluation is made up (a function of architecture and seed).
An undisturbed search is the reference. Others of the same config are tormented, one after the other, in rounds of all
events, until so many SIGKILLs have struck. After each event: what is committed is a prefix of the reference, trial by
trial and with what was learned of each, no shorter than what the daemon had said; the files verify and replay; a dead
daemon left no process. Each search that comes to its end has the digest of the reference and no file too many. On a Ray
cluster (`torture_ray.py`) the reference is that of local processes.
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

import psutil

from nasd.runs.verify import replay
from store import Run, files, is_owned, soundness
from tests.crash.torments import EVENTS, KILLS, at_end, hit, told
from tests.helpers.nasd_harness import LIMIT, Process, make, short_folder, sound, tell, until

DAEMON = Path(__file__).with_name("shifted_daemon.py")
TRIALS = 120
KEPT = 3  # embeddings
DISK = "16m"
LOG = Path("log", "daemon.jsonl")
MARK = "NASD_TORTURE"
EXPECTED = {
    "config.yaml", "run.db", "run.db-wal", "run.db-shm", "lock", "log", "embeddings", "weights", "learned", "stub.json",
    "clock", "ballast",
}  # fmt: skip


@dataclass
class Torture:
    """One reference, and the searches that are tormented."""

    home: Path
    seed: int
    trials: int = TRIALS
    strategy: str = "qlearning"
    events: dict = field(default_factory=lambda: EVENTS)
    often: dict = field(default_factory=lambda: KILLS)  # three times a round
    gone: float = 20.0  # seconds in which what a daemon leaves ends
    counts: Counter = field(default_factory=Counter)
    kills: int = 0  # SIGKILLs that struck a process
    finished: int = 0

    def __post_init__(self):
        self.draw = random.Random(self.seed)
        self.environment = {**os.environ, MARK: str(self.home)}  # whose child a process is, whoever adopted it
        self.disk = small_disk(self.home / "disk")
        reference = self.make("reference")
        with self.start(reference) as daemon:
            daemon.ready().state("finished")
            assert daemon.end()[0] == 0
        self.digest = sound(reference)
        self.updates = updates_of(reference)
        self.made = self.check(reference)
        self.kept = kept(reference)

    def close(self):
        for process in self.alive():  # after a failure
            hit(process, signal.SIGKILL)
        if self.disk:
            subprocess.run(["umount", "-l", str(self.home / "disk")], check=True)

    def make(self, name):
        directory = self.home / ("disk" if self.disk else "") / name
        make(
            directory.parent, self.trials, self.strategy, name="stub", store={"keep_embeddings": KEPT},
            search={"lookahead": 3}, executor=self.executor(directory),
        ).rename(directory)  # fmt: skip
        tell(directory, embed=10, seconds=0.01)
        return directory

    def executor(self, directory):
        """The section of the config of a search there."""
        return {"workers_per_device": 2}

    def workers(self, daemon):
        """The processes that evaluate for a daemon, and those that stand between."""
        return daemon.workers()

    def wait(self, daemon):
        """Until the next event."""
        time.sleep(self.draw.uniform(0.0, 0.4))

    def start(self, directory):
        command = [sys.executable, str(DAEMON), str(directory)]
        return Process(directory, command=command, env=self.environment, start_new_session=True)

    def round(self):
        """Every kind of event once, the plain kills three times, in a random order."""
        events = [*self.events, *self.often, *self.often]
        return self.draw.sample(sorted(events), len(events))

    def run(self, events):
        """Torment searches until all these events have happened."""
        left = list(events)
        while left:
            directory = self.make(f"tormented-{self.finished}")
            self.torment(directory, left)
            shutil.rmtree(directory)

    def torment(self, directory, left):
        daemon, happened = self.start(directory), []
        try:
            daemon.ready()
            while left and not at_end(daemon):
                self.wait(daemon)
                event = left.pop()
                happened.append(event)
                daemon = self.events[event](self, directory, daemon)
                self.counts[event] += 1
                self.check(directory)
            (directory / "clock").unlink(missing_ok=True)
            daemon.state("finished")
            said = told(daemon)
            assert daemon.end()[0] == 0
            self.ended(daemon, said)
            self.compare(directory, whole="fill_disk" not in happened)
        except BaseException:
            sys.stderr.write(f"{directory.name}: {', '.join(happened)}\n{(directory / LOG).read_text()[-3000:]}")
            raise
        finally:
            with contextlib.suppress(psutil.Error, AssertionError):
                daemon.__exit__()
        self.finished += 1

    def check(self, directory):
        """What is committed is a prefix of the reference; returns how many trials it has. The search may go on."""
        found = updates_of(directory)
        for one, same in zip(found, self.updates, strict=False):
            assert one == same, f"the trial is {one}, not {same}"
        assert len(found) <= len(self.updates)
        with Run.open(directory) as run:
            problems = [problem for problem in soundness.check(run) if "the next start" not in problem.what]
            assert not problems, problems
            trials = sum(trial is not None for trial, _ in found)  # the other steps are thinking
            assert sum(1 for _ in replay(run)) >= trials
        return trials

    def compare(self, directory, whole):
        """A search that came to its end is the reference. If the disk was full, `whole` is false: a result that came
        then counts without its embedding.
        """
        assert self.check(directory) == self.made
        assert len(updates_of(directory)) == len(self.updates)
        assert sound(directory) == self.digest
        embeddings, names = kept(directory), set(files.names(directory / "embeddings"))
        assert embeddings == self.kept or not whole, f"the embeddings of {embeddings}, not {self.kept}"
        assert len(names) == len(embeddings) <= KEPT, f"{names} are there, {embeddings} are referred to"
        assert {path.name for path in directory.iterdir()} - self.more(directory) <= EXPECTED
        assert not is_owned(directory)

    def more(self, directory):
        """Names of what besides may be left in a run's directory."""
        return set()

    def kill(self, daemon):
        """SIGKILL for the daemon; its workers end by themselves."""
        said = told(daemon)
        daemon.process.kill()
        self.kills += 1
        self.ended(daemon, said)

    def kill_one(self, workers):
        """SIGKILL for one of these workers, if there is any."""
        if workers and hit(self.draw.choice(workers), signal.SIGKILL):
            self.kills += 1

    def ended(self, daemon, said):
        """The daemon ends, and nothing is left of it: no worker, stopped or just started, known to us or not.

        Looks at the run as it lies there, before a next daemon could mend it: it has all trials that were told of.
        """
        daemon.process.wait(LIMIT)
        daemon.process.stderr.close()
        try:
            until(lambda: not self.alive(), "the end of a daemon's workers", self.gone)
        except AssertionError as error:
            raise AssertionError([(one, one.cmdline(), os.getpgid(one.pid)) for one in self.alive()]) from error
        assert (found := self.check(daemon.directory)) >= said, f"{said} trials were told of, {found} are there"

    def alive(self):
        """The processes of these searches."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == str(self.home):
                    found.append(process)
        return found

    def again(self, directory):
        """The next daemon starts by itself."""
        return self.start(directory).ready()


# --- looking ---------------------------------------------------------------------------------------------------------


def updates_of(directory):
    """All that is a function of config and seed, by trial."""
    measured = {"embedding": None, "finished_at": 0.0, "seconds": 0.0, "peak_memory": 0, "device": ""}
    measured |= {"encode_seconds": 0.0, "train_seconds": 0.0}
    with Run.open(directory) as run:
        return [(step.trial and replace(step.trial, **measured), step.learned) for step in run.steps()]


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


def say(torture, began):
    """How far it is; returns minutes."""
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write(
        f"{torture.counts.total():5} events, {torture.kills:5} kills, "
        f"{torture.finished:4} searches the same, {minutes:5.1f} min\n"
    )
    sys.stdout.flush()
    return minutes


def kind(executor):
    if executor == "processes":
        return Torture
    from tests.crash.torture_ray import TortureOnRay

    return TortureOnRay


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", default="qlearning")
    parser.add_argument("--executor", default="processes", choices=("processes", "ray"))
    parser.add_argument("--minutes", type=float, default=60.0, help="end sooner if this is over")
    arguments = parser.parse_args()
    began = time.monotonic()
    with short_folder() as home:
        torture = kind(arguments.executor)(home, arguments.seed, strategy=arguments.strategy)
        try:
            while torture.kills < arguments.kills:
                torture.run(torture.round())
                if say(torture, began) > arguments.minutes:
                    break
        finally:
            say(torture, began)
            torture.close()
    for event, count in sorted(torture.counts.items()):
        sys.stdout.write(f"  {event:<36}{count:5}\n")
    sys.stdout.write(f"identical, bit for bit: digest {torture.digest}\n")


if __name__ == "__main__":
    main()
