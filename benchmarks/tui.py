"""The budgets of a client: `nasd status` cold, attach to the first full screen (with a daemon and without), a
filter, what a search has learned, event to screen, processor time, memory over many events.

Real processes: a daemon that only speaks (tests/helpers/fake_daemon.py, 100,000 trials) and the UI in a pseudoterminal
of 160x48. Medians; run on an otherwise idle machine. `--daemon RUN` takes a real run's daemon for the first two
instead.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

from benchmarks import long_run  # noqa: E402
from nasd import protocol as p  # noqa: E402
from nasd.client import Target  # noqa: E402
from nasd.client.aio import Connection  # noqa: E402
from tests.helpers.fake_daemon import FakeDaemon  # noqa: E402
from tests.helpers.fake_search import World  # noqa: E402

# A warm interpreter has imported the app and waits for a byte; a cold one starts from nothing.
WARM = "import sys, tui.app; sys.stdout.write('READY'); sys.stdout.flush(); sys.stdin.read(1)\n"
ATTACH = "import sys, tui; from nasd.client import Target; from pathlib import Path; tui.run(Target(Path(sys.argv[1])))"


class Terminal:
    """A UI in a pseudoterminal."""

    def __init__(self, code: str, directory: Path, environment: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
        modes = termios.tcgetattr(slave)
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(directory)], stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def until(self, true: Callable[[str], bool], limit: float = 30.0) -> float:
        """The moment at which what was written fulfils `true`."""
        end = time.perf_counter() + limit
        while not true(self.seen):
            if time.perf_counter() > end:
                raise SystemExit(f"the UI never drew what was waited for; it wrote {self.seen[-1000:]!r}")
            if select.select([self.master], [], [], 0.5)[0]:
                self.seen += os.read(self.master, 1 << 20).decode(errors="replace")
        return time.perf_counter()

    def drain(self) -> None:
        """Read what was written, so that the UI never waits for the terminal."""
        while select.select([self.master], [], [], 0)[0]:
            os.read(self.master, 1 << 20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def full(screen: str) -> bool:
    """Header, best trials, a reward plot, the machine and the keys are there: nothing waits for the daemon."""
    braille = sum(0x2800 < ord(character) < 0x2900 for character in screen)
    return braille > 200 and all(part in screen for part in ("live", "92.", "median", "memory", "detach"))


def full_without_daemon(screen: str) -> bool:
    """The same of a run whose files are read."""
    braille = sum(0x2800 < ord(character) < 0x2900 for character in screen)
    return braille > 200 and all(part in screen for part in ("no daemon", "97.", "median", "evaluated", "detach"))


def first_screen(
    directory: Path, environment: dict[str, str], runs: int, full: Callable[[str], bool] = full
) -> tuple[list[float], list[float]]:
    """Milliseconds to the first full screen from a warm interpreter, and from nothing."""
    warm, cold = [], []
    for _ in range(runs + 1):  # the first of each fills caches
        terminal = Terminal(WARM + ATTACH, directory, environment)
        terminal.until(lambda seen: "READY" in seen)
        started = time.perf_counter()
        os.write(terminal.master, b"x")
        warm.append(1000 * (terminal.until(full) - started))
        terminal.close()
        terminal = Terminal(ATTACH, directory, environment)
        cold.append(1000 * (terminal.until(full) - terminal.started))
        terminal.close()
    return warm[1:], cold[1:]


async def answers(directory: Path, runs: int) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of a page of a filter, of the longest answer about what was learned while the run is read, and of
    that answer once it is read.
    """
    connection = await Connection.open(Target(directory=directory), files=True)
    filtered, reading, read = [], [], []
    for number in range(runs):
        # Another one each time: nothing is remembered of the one before.
        where = f"reward>0.{80 + number % 10} C(32,5 !status:failed"
        started = time.perf_counter()
        await connection.call("trials", p.TrialsParams(where=where, sort="reward"), timeout=120)
        filtered.append(1000 * (time.perf_counter() - started))
    while True:
        started = time.perf_counter()
        found: p.Insight = await connection.call("insight", p.InsightParams(), timeout=120)
        reading.append(1000 * (time.perf_counter() - started))
        if found.read == found.of:
            break
    for _ in range(runs):
        started = time.perf_counter()
        await connection.call("insight", p.InsightParams(), timeout=120)
        read.append(1000 * (time.perf_counter() - started))
    await connection.close()
    return filtered, reading, read


def events(daemon: FakeDaemon, environment: dict[str, str], runs: int) -> list[float]:
    """Milliseconds from an event's sending to its being written to the terminal."""
    terminal = Terminal(ATTACH, daemon.directory, environment)
    terminal.until(full)
    found = []
    for _ in range(runs):
        time.sleep(0.11)
        terminal.seen = ""
        started = time.perf_counter()
        daemon.run(_epoch(daemon))
        awaited = f"epoch {daemon.world.epoch}/70"
        found.append(1000 * (terminal.until(lambda seen, awaited=awaited: awaited in seen) - started))
    terminal.close()
    return found


def processor(daemon: FakeDaemon, environment: dict[str, str], seconds: float = 8.0) -> float:
    """Percent of a core that the UI takes at a hundred events a second."""
    terminal = Terminal(ATTACH, daemon.directory, environment)
    terminal.until(full)
    before, started = _ticks(terminal.process.pid), time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        daemon.run(_finish(daemon) if int(passed * 100) % 10 == 0 else _epoch(daemon))
        terminal.drain()
        time.sleep(max(0.0, 0.01 - (time.perf_counter() - started - passed)))
    taken = _ticks(terminal.process.pid) - before
    terminal.close()
    return 100 * taken / os.sysconf("SC_CLK_TCK") / passed


def memory(daemon: FakeDaemon, environment: dict[str, str], count: int) -> tuple[float, float]:
    """MB that the UI holds after the first 40 % of the events, which fill what is bounded, and after all of them.

    It is told as fast as it listens.
    """
    terminal = Terminal(ATTACH, daemon.directory, environment)
    terminal.until(full)
    first, held = daemon.sequence, []
    for part in range(10):
        os.write(terminal.master, b"6291"[part % 4 : part % 4 + 1])  # the log, the trials, what was learned, overview
        while daemon.sequence < first + count * (part + 1) // 10:
            daemon.run(_mixture(daemon))
            terminal.drain()
            while any(writer.transport.get_write_buffer_size() > 65_536 for writer in list(daemon.subscribers)):
                terminal.drain()
                time.sleep(0.002)
        if part in (3, 9):
            os.write(terminal.master, b"1")
            daemon.run(_epoch(daemon))
            terminal.seen = ""
            terminal.until(lambda seen: f"epoch {daemon.world.epoch}/70" in seen)
            pages = int(Path(f"/proc/{terminal.process.pid}/statm").read_text().split()[1])
            held.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    terminal.close()
    return held[0], held[1]


async def _mixture(daemon: FakeDaemon) -> None:
    """A trial, its epochs and what is logged."""
    daemon.finish_trial()
    daemon.say("info", "a record more")
    daemon.heartbeat()
    for _ in range(7):
        daemon.epoch()


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


async def _finish(daemon: FakeDaemon) -> None:
    daemon.finish_trial()


async def _epoch(daemon: FakeDaemon) -> None:
    daemon.epoch()


def status(directory: Path, environment: dict[str, str], runs: int) -> list[float]:
    """Milliseconds of `nasd status`."""
    found = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "nasd.cli", "status", str(directory)], env=environment, check=True,
            stdout=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        found.append(1000 * (time.perf_counter() - started))
    return found[1:]


@contextlib.contextmanager
def serving(directory: Path, trials: int) -> Iterator[None]:
    """The speaking daemon in a process of its own."""
    command = [sys.executable, "-m", "tests.helpers.fake_daemon", str(directory), "--trials", str(trials)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        end = time.monotonic() + 60
        while not (directory / "daemon.sock").exists():
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("the daemon did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def report(what: str, budget: float | None, values: list[float]) -> bool:
    median = statistics.median(values)
    worst = sorted(values)[int(0.95 * (len(values) - 1))]
    verdict = "" if budget is None else f"<= {budget:g} ms  {'ok' if median <= budget else 'OVER'}"
    print(f"{what:<58} {median:7.1f} ms  (95 %: {worst:.1f})  {verdict}")
    return budget is None or median <= budget


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=100_000, help="over which memory is to stay flat")
    parser.add_argument("--daemon", type=Path, help="the directory of a run whose daemon is up")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nasd-") as folder:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        # As installed: with compiled modules.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = f"{folder}/pyc"
        directory = arguments.daemon or Path(folder) / "run"
        files = Path(folder) / "files"
        long_run.write(files, arguments.trials)
        bare = {**environment, "NASD_HOME": folder}
        alone, alone_cold = first_screen(files, bare, arguments.runs, full_without_daemon)
        filtered, reading, learned = asyncio.run(answers(files, arguments.runs))
        with contextlib.nullcontext() if arguments.daemon else serving(directory, arguments.trials):
            asked = status(directory, environment, arguments.runs)
            warm, cold = first_screen(directory, environment, arguments.runs)
        speaking = FakeDaemon(Path(folder) / "events", World(2000))
        with speaking.thread():
            shown = events(speaking, environment, 45)
            share = processor(speaking, environment)
            soon, late = memory(speaking, environment, arguments.events)
    trials = "a real run" if arguments.daemon else f"{arguments.trials:,} trials"
    fine = [
        report("nasd status, cold", 150, asked),
        report(f"attach to the first full screen, {trials}, warm interpreter", 500, warm),
        report("  the same with the interpreter's start and all imports", None, cold),
        report(f"the same without a daemon, {arguments.trials:,} trials, warm interpreter", 500, alone),
        report("  with the interpreter's start and all imports", None, alone_cold),
        report("a page of a filter over all of them, sorted by reward", 100, filtered),
        report("an answer about what was learned, while the run is read", 3000, reading),
        report("  the same once it is read", 1000, learned),
        report("event to screen", 100, shown),
        share <= 10,
        late <= soon + 5,
    ]
    print(f"processor time at 100 events a second, 10 of them trials: {share:.1f} % of a core, <= 10 %")
    print(f"memory after 40 % of {arguments.events:,} events and after all: {soon:.1f}, {late:.1f} MB, <= 5 MB more")
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
