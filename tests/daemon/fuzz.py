"""Frames that no client sends, at a daemon that works: malformed, huge, slow, half, many at once.

    python tests/daemon/fuzz.py [--frames 1000000] [--windows 50] [--minutes 60] [--flood 200] [--seed 1]

A search runs meanwhile, and windows of time with the storm and without it take turns, so that other work on the machine
strikes both: how many trials does the search make in each, what processor time does the daemon take, how long does a
polite client wait? Storm, polite client and daemon are processes of their own. A flood follows: clients that ask for
the status without a pause. In the end the daemon lives, takes no more memory than before, and its search is sound.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nasd import protocol
from store import Run
from tests.helpers.nasd_harness import Process, make, short_folder, sound, tell

HELLO = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":%d}}\n' % protocol.PROTOCOL
METHODS = (
    "status", "trials", "trial", "qlearning.page", "rewards", "jobs", "log", "runs", "config", "subscribe", "queue_job",
)  # fmt: skip
VALUES = (
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 10**40, 1.5, 1e308, "", "x", "../../etc/passwd", "\x00", "💥" * 50,
    "%" * 500, [], [[]], {}, {"x": 1}, ["C(1,1,1,1,1)"] * 50,
)  # fmt: skip
KEYS = ("offset", "limit", "number", "text", "sort", "status", "path", "points", "before", "level", "net", "trial")
STATUS = b'{"jsonrpc":"2.0","id":7,"method":"status"}\n'
QUIET = 15.0  # seconds of a window without a storm
ASLEEP = 20  # connections that are left open without anybody reading


def frame(draw: random.Random) -> bytes:
    """One frame, most of them nearly right."""
    match draw.randrange(10):
        case 0:
            return draw.randbytes(draw.randrange(1, 200))
        case 1:
            return b'{"jsonrpc":"2.0","id":2,"method":"trial","params":' + b'{"number":[' * draw.randrange(1, 3000)
        case 2 if draw.random() < 0.002:
            return b"x" * (protocol.MAX_FRAME + draw.randrange(10))
    params = {draw.choice(KEYS): draw.choice(VALUES) for _ in range(draw.randrange(3))}
    request = {"jsonrpc": "2.0", "id": draw.choice(VALUES), "method": draw.choice(METHODS), "params": params}
    if draw.random() < 0.2:
        request[draw.choice(list(request))] = draw.choice(VALUES)
    data = bytearray(json.dumps(request).encode())
    for _ in range(draw.choice((0, 0, 1, 1, 3))):
        at = draw.randrange(len(data))
        match draw.randrange(3):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at : at + draw.randrange(1, 9)]
            case 2:
                data[at:at] = draw.randbytes(draw.randrange(1, 5))
        data = data or bytearray(b"{")
    return bytes(data)


@dataclass
class Storm:
    """Some threads that send frames to one daemon."""

    directory: Path
    frames: int
    seed: int = 1
    threads: int = 4
    sent: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self):
        """Send all frames."""
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(self.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, number):
        draw = random.Random(f"{self.seed} {number}")
        asleep = []
        for _ in range(self.frames // self.threads):
            try:
                self._one(draw, asleep)
            except (ConnectionError, TimeoutError):
                pass  # it hung up
            except OSError as error:
                self.wrong.append(str(error))
            self.sent += 1
        for connection in asleep:
            connection.close()

    def _one(self, draw, asleep):
        connection = self._connect() if draw.random() < 0.9 else self._open()
        sleeps = False
        try:
            data = frame(draw) + b"\n"
            kind = draw.randrange(20)
            if kind == 0:  # slowly
                for start in range(0, min(len(data), 60), 20):
                    connection.sendall(data[start : start + 20])
                    time.sleep(0.001)
            elif kind == 1:  # half, and gone
                connection.sendall(data[: len(data) // 2])
            elif kind == 2:  # half-closed
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                self._hear(connection, data)
            elif kind == 3 and len(asleep) < ASLEEP // self.threads:  # subscribed, and never reads
                connection.sendall(b'{"jsonrpc":"2.0","id":3,"method":"subscribe"}\n' * 20)
                asleep.append(connection)
                sleeps = True
            else:
                connection.sendall(data)
                self._hear(connection, data)
        finally:
            if not sleeps:
                connection.close()

    def _hear(self, connection, data):
        answer = read(connection)
        if answer is not None and answer.get("error", {}).get("code") == protocol.ErrorCode.INTERNAL:
            self.wrong.append(f"{data!r}: {answer}")

    def _open(self):
        return open_socket(self.directory)

    def _connect(self):
        return connect(self.directory)


def open_socket(directory):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(str(directory / "daemon.sock"))
    return connection


def connect(directory):
    connection = open_socket(directory)
    connection.sendall(HELLO)
    read(connection)
    return connection


def ask_politely(directory, going_on, pause=0.02):
    """A client that asks for the status now and then, while something goes on: the seconds that each answer took."""
    times = []
    with connect(directory) as polite:
        while going_on():
            began = time.perf_counter()
            polite.sendall(STATUS)
            answer = read(polite)
            times.append(time.perf_counter() - began)
            assert answer is not None, "the polite client was cut off"
            assert "result" in answer, answer
            time.sleep(pause)
    return times


async def flood(directory, clients):
    """Ask for the status without a pause, on so many connections, each of them made anew now and then; until killed."""

    async def one():
        while True:
            reader, writer = await asyncio.open_unix_connection(directory / "daemon.sock", limit=protocol.MAX_FRAME)
            for request in (HELLO, *[STATUS] * 50):
                writer.write(request)
                await reader.readline()
            writer.close()

    await asyncio.gather(*(one() for _ in range(clients)))


def read(connection):
    """One answer, or None at the end of the connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while not data.endswith(b"\n"):
            more = connection.recv(1 << 16)
            if not more:
                break
            data += more
    return json.loads(data.splitlines()[0]) if data.endswith(b"\n") else None


@dataclass
class Window:
    """A stretch of time, by the clock that trials carry."""

    disturbed: bool
    began: float
    ended: float
    processor: float  # seconds that the daemon took
    times: list[float]  # of the polite client
    memory: int
    descriptors: int
    trials: int = 0
    gained: int = 0  # bytes of memory

    @property
    def rate(self):
        return self.trials / (self.ended - self.began)


def look(daemon, process, disturbed, going_on):
    before, began, memory = sum(process.cpu_times()[:2]), time.time(), process.memory_info().rss
    times = ask_politely(daemon.directory, going_on)
    ended = time.time()
    taken = sum(process.cpu_times()[:2]) - before
    now = process.memory_info().rss
    return Window(disturbed, began, ended, taken, times, now, process.num_fds(), gained=now - memory)


def pairs(daemon, process, count, command, seconds=None, minutes=float("inf")):
    """Windows without and with what a command does; that lasts for `seconds`, or for as long as the command runs.
    After so many minutes there is no further pair.
    """
    over = time.monotonic() + 60 * minutes
    for number in range(count):
        if time.monotonic() > over:
            return
        quiet_end = time.monotonic() + QUIET
        yield look(daemon, process, False, lambda end=quiet_end: time.monotonic() < end)
        me = [sys.executable, "-m", "tests.daemon.fuzz"]
        with subprocess.Popen([*me, *command(number), str(daemon.directory)]) as disturber:
            end = threading.Timer(seconds, disturber.kill) if seconds else None
            if end is not None:
                end.start()
            yield look(daemon, process, True, lambda running=disturber: running.poll() is None)
        assert disturber.returncode == (-9 if seconds else 0), "see above what was answered wrongly"
        assert daemon.process.poll() is None


def count_trials(directory, windows):
    with Run.open(directory) as run:
        for trial in run.trials():
            for window in windows:
                window.trials += window.began <= trial.finished_at < window.ended


def report(what, windows):
    """What the windows say: ratios within pairs, their median and range."""
    quiet, disturbed = windows[::2], windows[1::2]
    ratios = sorted(two.rate / one.rate for one, two in zip(quiet, disturbed, strict=True))
    lines = {
        "trials a second, quiet": f"{statistics.median(w.rate for w in quiet):.3f}",
        "and disturbed": f"{statistics.median(w.rate for w in disturbed):.3f}",
        "ratio in pairs: median, least, most": f"{statistics.median(ratios):.3f} {ratios[0]:.3f} {ratios[-1]:.3f}",
        "daemon's processor share, quiet": share(quiet),
        "and disturbed ": share(disturbed),
        "status, ms, quiet: median, 99 %, most": latencies(quiet),
        "and disturbed  ": latencies(disturbed),
        "memory after each, MB": " ".join(f"{window.memory / 1e6:.1f}" for window in disturbed),
        "KB gained a trial, quiet": gained(quiet),
        "and disturbed   ": gained(disturbed),
        "descriptors after each": " ".join(str(window.descriptors) for window in quiet),
    }
    sys.stdout.write(f"{what}\n")
    for name, value in lines.items():
        sys.stdout.write(f"{name:>42} {value}\n")
    sys.stdout.flush()


def gained(windows):
    return f"{sum(w.gained for w in windows) / sum(w.trials for w in windows) / 1e3:.2f}"


def share(windows):
    return f"{statistics.median(w.processor / (w.ended - w.began) for w in windows):.1%}"


def latencies(windows):
    times = sorted(1e3 * taken for window in windows for taken in window.times)
    return f"{times[len(times) // 2]:.1f} {times[len(times) * 99 // 100]:.1f} {times[-1]:.1f} ({len(times)} asked)"


def disturb(arguments):
    """What the processes of the storm and the flood do."""
    if arguments.as_flood:
        asyncio.run(flood(arguments.at, arguments.as_flood))
    storm = Storm(arguments.at, arguments.as_storm, arguments.seed, arguments.threads)
    storm.run()
    assert storm.sent == arguments.as_storm // storm.threads * storm.threads
    if storm.wrong:
        sys.exit(f"{len(storm.wrong)} wrong answers: {storm.wrong[:5]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--windows", type=int, default=50, help="in which the frames are sent")
    parser.add_argument("--minutes", type=float, default=60.0, help="send no further ones if this is over")
    parser.add_argument("--flood", type=int, default=200, help="clients that ask without a pause")
    parser.add_argument("--threads", type=int, default=8, help="that send at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evaluation", type=float, default=0.2, help="seconds that an evaluation takes meanwhile")
    parser.add_argument("--as-storm", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--as-flood", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("at", type=Path, nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.at is not None:
        disturb(arguments)
        return
    each = arguments.frames // arguments.windows

    def storm(number):
        return "--as-storm", str(each), "--seed", str(arguments.seed + number), "--threads", str(arguments.threads)

    with short_folder() as home:
        directory = make(home, 1_000_000, space={**wide()})
        tell(directory, seconds=arguments.evaluation)
        with Process(directory) as daemon:
            process = psutil.Process(daemon.ready().pid)
            Storm(directory, 2000, seed=0).run()  # what grows once has grown
            stormy = list(pairs(daemon, process, arguments.windows, storm, minutes=arguments.minutes))
            count_trials(directory, stormy)
            report(f"{each * len(stormy) // 2} frames", stormy)
            if arguments.flood:
                flooded = list(pairs(daemon, process, 5, lambda _: ("--as-flood", str(arguments.flood)), 10.0))
                count_trials(directory, flooded)
                report(f"a flood by {arguments.flood} clients", flooded)
            daemon.end()
        sound(directory)


def wide():
    """A space in which few architectures are drawn twice."""
    from tests.helpers.nasd_harness import SPACE

    return {**SPACE, "max_conv": 8, "conv_features": [16, 32, 64, 128, 256]}


if __name__ == "__main__":
    main()
