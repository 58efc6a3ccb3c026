"""A search that is killed, stopped, starved and confused at random instants, and stays the same search, bit for bit.

    python -m tests.crash.torture [--strategy qlearning] [--kills 1000] [--seed 1] [--minutes 60]

The daemon and its two workers are real processes; only the evaluation is made up (a function of architecture and seed).
An undisturbed search is the reference. Others of the same config are tormented, one after the other, in rounds of all
events, until so many SIGKILLs have struck. After each event: what is committed is a prefix of the reference, trial by
trial and with what was learned of each, no shorter than what the daemon had said; the files verify and replay; a dead
daemon left no process. Each search that comes to its end has the digest of the reference and no file too many.
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
from tests.helpers.nasd_harness import LIMIT, Process, make, short_folder, sound, tell, until
from tests.helpers.stub_worker import FAULTS

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
        directory = make(
            self.home / ("disk" if self.disk else ""), self.trials, self.strategy, name="stub",
            store={"keep_embeddings": KEPT}, search={"lookahead": 3}, executor={"workers_per_device": 2},
        ).rename(self.home / ("disk" if self.disk else "") / name)  # fmt: skip
        tell(directory, embed=10, seconds=0.01)
        return directory

    def start(self, directory):
        command = [sys.executable, str(DAEMON), str(directory)]
        return Process(directory, command=command, env=self.environment, start_new_session=True)

    def round(self):
        """Every kind of event once, the plain kills three times, in a random order."""
        return self.draw.sample(sorted(EVENTS) + 2 * sorted(KILLS), len(EVENTS) + 2 * len(KILLS))

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
                time.sleep(self.draw.uniform(0.0, 0.4))
                event = left.pop()
                happened.append(event)
                daemon = EVENTS[event](self, directory, daemon)
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
        assert {path.name for path in directory.iterdir()} <= EXPECTED
        assert not is_owned(directory)

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
            until(lambda: not self.alive(), "the end of a daemon's workers", 20.0)
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


# --- events: each takes a running daemon, and gives back a running one -----------------------------------------------


def kill_daemon(torture, directory, daemon):
    torture.kill(daemon)
    return torture.again(directory)


def kill_worker(torture, directory, daemon):
    torture.kill_one(daemon.workers())
    return daemon


def kill_both(torture, directory, daemon):
    torture.kill_one(daemon.workers())
    torture.kill(daemon)
    return torture.again(directory)


def kill_group(torture, directory, daemon):
    """At once all processes, each of which leads a group."""
    said, workers = told(daemon), daemon.workers()
    for process in (daemon.process, *workers):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
            torture.kills += 1
    torture.ended(daemon, said)
    return torture.again(directory)


def box_at_fault(torture, directory, daemon):
    """The box has no thread, no space, no driver, ... for a while: nothing is counted or learned of it."""
    for fault in torture.draw.sample([*FAULTS, "libgomp"], 3):
        tell(directory, embed=10, seconds=0.01, every=fault)
        time.sleep(torture.draw.uniform(0.1, 0.5))
    tell(directory, embed=10, seconds=0.01)
    time.sleep(0.2)  # until a worker that read the orders before has left its mark
    for mark in directory.glob("misbehaved-*"):
        mark.unlink()
    return daemon


def kill_at_the_start(torture, directory, daemon):
    """A daemon that has not got further than some way into its start, and again before the third gets through."""
    torture.kill(daemon)
    for _ in range(2):
        daemon = torture.start(directory)
        time.sleep(torture.draw.uniform(0.0, 1.0))
        torture.kill(daemon)
    return torture.again(directory)


def kill_the_daemon_of_stopped_workers(torture, directory, daemon):
    """Also of one that was stopped as soon as it was a program of its own."""
    before = daemon.workers()
    torture.kill_one(before)
    until(lambda: at_end(daemon) or set(programs(daemon)) - set(before), "the worker's successor")
    stopped = [worker for worker in programs(daemon) if hit(worker, signal.SIGSTOP)]
    until(lambda: all(is_in(w, psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) for w in stopped), "the stop of all")
    torture.kill(daemon)
    return torture.again(directory)


def terminate(torture, directory, daemon):
    said = told(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    torture.ended(daemon, said)
    assert daemon.process.returncode == 0
    return torture.again(directory)


def stop_worker(torture, directory, daemon):
    worker = torture.draw.choice(daemon.workers() or [None])
    if worker is None:
        return daemon
    hit(worker, signal.SIGSTOP)
    if torture.draw.random() < 0.5:  # half of the time nobody waits until it is replaced
        until(lambda: is_in(worker, psutil.STATUS_ZOMBIE) or at_end(daemon), "its end")
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
        torture.kill(daemon)
        ballast.unlink(missing_ok=True)
        return torture.again(directory)
    ballast.unlink(missing_ok=True)
    return daemon


def read_only(torture, directory, daemon):
    torture.kill(daemon)
    if torture.disk:
        subprocess.run(["mount", "-o", "remount,ro", str(torture.home / "disk")], check=True)
        try:
            code, said = torture.start(directory).end(signal.SIGCONT)
            assert code == 1, said
            assert said.startswith("nasd: ")
            assert "Traceback" not in said
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(torture.home / "disk")], check=True)
    return torture.again(directory)


def set_the_clock(torture, directory, daemon):
    (directory / "clock").write_text(str(torture.draw.choice([-1e9, -86400.0, -3600.0, -1.0, 3600.0, 1e8])))
    return daemon


def second_daemon(torture, directory, daemon):
    """Two at the same moment: one serves, the other says whose the run is."""
    torture.kill(daemon)
    both = [torture.start(directory), torture.start(directory)]
    until(lambda: any(one.process.poll() is not None for one in both), "the end of one of them")
    loser = next(one for one in both if one.process.poll() is not None)
    code, said = loser.end()
    assert (code, "is owned by" in said) == (4, True), said
    both.remove(loser)
    return both[0].ready()


KILLS = {event.__name__: event for event in (kill_daemon, kill_worker, kill_both, kill_group)}
EVENTS = KILLS | {
    event.__name__: event
    for event in (
        kill_at_the_start, kill_the_daemon_of_stopped_workers, terminate, stop_worker, fill_disk, read_only,
        set_the_clock, second_daemon, box_at_fault,
    )
}  # fmt: skip


# --- looking ---------------------------------------------------------------------------------------------------------


def hit(process, number):
    """Send a signal; whether there was somebody to take it."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def programs(daemon):
    """Its workers, without one that was forked and is not yet a program of its own."""
    found = []
    for worker in daemon.workers():
        with contextlib.suppress(psutil.Error):
            if any("stub_worker" in argument for argument in worker.cmdline()):
                found.append(worker)
    return found


def is_in(process, *states):
    """Whether it is in one of these states, or gone."""
    try:
        return process.status() in states
    except psutil.NoSuchProcess:
        return True


def at_end(daemon):
    status = daemon.status()
    return status is not None and status.state == "finished"


def told(daemon):
    """How many trials the daemon says that it has; 0 while it does not answer."""
    status = daemon.status() if daemon.process.poll() is None else None
    return status.progress.trials if status else 0


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", default="qlearning")
    parser.add_argument("--minutes", type=float, default=60.0, help="end sooner if this is over")
    arguments = parser.parse_args()
    began = time.monotonic()
    with short_folder() as home:
        torture = Torture(home, arguments.seed, strategy=arguments.strategy)
        try:
            while torture.kills < arguments.kills:
                torture.run(torture.round())
                minutes = (time.monotonic() - began) / 60
                sys.stdout.write(
                    f"{torture.counts.total():5} events, {torture.kills:5} kills, "
                    f"{torture.finished:4} searches the same, {minutes:5.1f} min\n"
                )
                sys.stdout.flush()
                if minutes > arguments.minutes:
                    break
        finally:
            torture.close()
    for event, count in sorted(torture.counts.items()):
        sys.stdout.write(f"  {event:<36}{count:5}\n")
    sys.stdout.write(f"identical, bit for bit: digest {torture.digest}\n")


if __name__ == "__main__":
    main()
