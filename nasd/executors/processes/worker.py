"""A worker process: `python -m nasd.executors.processes.worker`. Requests on standard input, reports on standard
output.

It ends with its daemon: at the end of standard input, and by a parent-death signal should it be stuck then. Whatever
the evaluation does to this process (a fault, an out-of-memory kill, a hang) costs the daemon one trial.
"""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from nasd.box.parent import die_with_parent
from nasd.errors import NasdError
from nasd.executors import messages
from nasd.executors.messages import Alive, Ended, Evaluate, Ready, Report, SetupFailed, Step
from nasd.executors.work import Setup, Work, attempt, build

HEARTBEAT = 2.0  # seconds


def serve(build: Callable[[Setup], Work]) -> None:
    """Work until standard input ends.

    Args:
        build: Sets the worker up from the first message; a NasdError from it is reported and ends the process.
    """
    die_with_parent()
    _die_first()
    report = _take_standard_output()
    requests: queue.SimpleQueue[messages.Request] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), name="requests", daemon=True).start()
    threading.Thread(target=_beat, args=(report,), name="heartbeat", daemon=True).start()
    setup = requests.get()
    if not isinstance(setup, Setup):
        raise TypeError(f"the first message must be setup, not {setup}")
    try:
        work = build(setup)
    except NasdError as error:
        report(SetupFailed(reason=str(error).encode(errors="backslashreplace").decode()))  # names of files may be any
        return
    report(Ready())
    leaving = False
    while not leaving:
        request = requests.get()
        if not isinstance(request, Evaluate):
            raise TypeError(f"a message after setup must be evaluate, not {request}")
        leaving = _carry_out(work, request, report)


def _carry_out(work: Work, request: Evaluate, report: Callable[[Report], None]) -> bool:
    """Report what becomes of an order; returns whether the process should end."""
    done = attempt(work, request.order, lambda step: report(Step(id=request.id, step=step)))
    left = {name: str(path) for name, path in done.files.items()}
    report(Ended(id=request.id, result=done.result, files=left, leaving=done.leaving, fault=done.fault))
    return done.leaving


def _take_standard_output() -> Callable[[Report], None]:
    """Keep standard output for reports; whatever else prints there goes to standard error, that is to the log."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(message: Report) -> None:
        with lock, contextlib.suppress(BrokenPipeError):
            pipe.write(messages.encode(message) + b"\n")

    return report


def _read(requests: "queue.SimpleQueue[messages.Request]") -> None:
    # Not sys.stdin: the interpreter closes that when it ends, and aborts where another thread reads from it.
    for line in os.fdopen(os.dup(0), "rb"):
        try:
            requests.put(messages.decode_request(line))
        except msgspec.DecodeError as error:
            sys.stderr.write(f"a message that is not understood: {error}\n")
            break
    os._exit(0)  # the daemon is gone: whatever the main thread is at, nobody waits for it


def _beat(report: Callable[[Report], None]) -> None:
    pause = threading.Event()
    while not pause.wait(HEARTBEAT):
        report(Alive())


def _die_first() -> None:
    # If memory runs out, the kernel should take the worker, not the daemon.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")


if __name__ == "__main__":
    serve(build)
