"""What torments a search: each event takes a running daemon, and gives back a running one."""

import contextlib
import os
import signal
import subprocess
import time

import psutil

from tests.helpers.nasd_harness import tell, until
from tests.helpers.stub_worker import FAULTS


def kill_daemon(torture, directory, daemon):
    torture.kill(daemon)
    return torture.again(directory)


def kill_worker(torture, directory, daemon):
    torture.kill_one(torture.workers(daemon))
    return daemon


def kill_both(torture, directory, daemon):
    torture.kill_one(torture.workers(daemon))
    torture.kill(daemon)
    return torture.again(directory)


def kill_group(torture, directory, daemon):
    """At once all processes, each of which leads a group."""
    said, workers = told(daemon), torture.workers(daemon)
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
    before = torture.workers(daemon)
    torture.kill_one(before)
    until(lambda: at_end(daemon) or set(programs(torture, daemon)) - set(before), "the worker's successor")
    stopped = [worker for worker in programs(torture, daemon) if hit(worker, signal.SIGSTOP)]
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
    worker = torture.draw.choice(torture.workers(daemon) or [None])
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
        remount = ["mount", "-o", "remount,ro", str(torture.home / "disk")]
        until(lambda: not subprocess.run(remount, capture_output=True, check=False).returncode, "an end of all writing")
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


def programs(torture, daemon):
    """Its workers, without one that was forked and is not yet a program of its own."""
    found = []
    for worker in torture.workers(daemon):
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
