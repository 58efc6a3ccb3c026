"""The writer's lock, where a process that was forked by its owner is stopped before it becomes a program."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from store import RunLockedError
from store.lock import WriterLock, is_locked
from tests.helpers.nasd_harness import until

OWNER = """
import os, signal, sys, time
from pathlib import Path
from store.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
if (child := os.fork()) == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os.execv("/bin/sleep", ["sleep", "60"])
print(child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def fork(tmp_path):
    """The lock's file, its owner, and the process that was stopped between fork and exec.

    The owner leads a session, as a daemon does: no other process is then woken by the kernel when it ends.
    """
    command = [sys.executable, "-c", OWNER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as owner:
        child = psutil.Process(int(owner.stdout.readline()))
        until(lambda: child.status() == psutil.STATUS_STOPPED, "the stop")
        yield tmp_path / "lock", owner, child
        owner.kill()
        child.kill()


def test_a_stopped_fork_of_a_killed_owner_lets_go(fork):
    lock, owner, child = fork
    owner.kill()
    owner.wait()
    assert is_locked(lock)
    WriterLock(lock).release()
    assert child.name() == "sleep"  # it went on, and is the program that it was to be
    assert not is_locked(lock)


@pytest.mark.parametrize("stopped", [False, True])
def test_while_the_owner_lives_nobody_is_woken(fork, stopped):
    lock, owner, child = fork
    if stopped:
        os.kill(owner.pid, signal.SIGSTOP)
        until(lambda: psutil.Process(owner.pid).status() == psutil.STATUS_STOPPED, "the stop")
    with pytest.raises(RunLockedError):
        WriterLock(lock)
    assert child.status() == psutil.STATUS_STOPPED
    if stopped:
        assert psutil.Process(owner.pid).status() == psutil.STATUS_STOPPED
