"""Frames that no client sends, at a daemon that works: malformed, huge, slow, half, many at once.

    python tests/daemon/fuzz.py [--frames 1000000] [--seed 1]

A search runs meanwhile. In the end the daemon lives, has answered polite clients all along, takes no more memory than
before, and its search is sound.
"""

import argparse
import contextlib
import json
import random
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

import psutil  # noqa: E402 - the paths first
from nasd_harness import Process, make, short_folder, sound, tell  # noqa: E402

from nasd import protocol  # noqa: E402

HELLO = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":%d}}\n' % protocol.PROTOCOL
METHODS = ("status", "trials", "trial", "q", "rewards", "jobs", "log", "runs", "config", "subscribe", "queue_job")
VALUES = (
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 10**40, 1.5, 1e308, "", "x", "../../etc/passwd", "\x00", "💥" * 50,
    "%" * 500, [], [[]], {}, {"x": 1}, ["C(1,1,1,1,1)"] * 50,
)  # fmt: skip
KEYS = ("offset", "limit", "number", "text", "sort", "status", "path", "points", "before", "level", "net", "trial")
PARTS = 5
ASLEEP = 20  # connections that are left open without anybody reading


def frame(draw: random.Random) -> bytes:
    """One frame, most of them nearly right."""
    match draw.randrange(10):
        case 0:
            return draw.randbytes(draw.randrange(1, 200))
        case 1:
            return b'{"jsonrpc":"2.0","id":2,"method":"q","params":' + b'{"path":[' * draw.randrange(1, 3000)
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
        """Send all frames; one polite client is served all the while. Returns its answers' times in seconds."""
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(self.threads)]
        for thread in threads:
            thread.start()
        times = []
        with self._connect() as polite:
            while any(thread.is_alive() for thread in threads):
                began = time.perf_counter()
                polite.sendall(b'{"jsonrpc":"2.0","id":7,"method":"status"}\n')
                answer = read(polite)
                times.append(time.perf_counter() - began)
                if answer is None or "result" not in answer:
                    self.wrong.append(f"the polite client heard {answer}")
                    break
                time.sleep(0.02)
        for thread in threads:
            thread.join()
        return times

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
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.directory / "daemon.sock"))
        return connection

    def _connect(self):
        connection = self._open()
        connection.sendall(HELLO)
        read(connection)
        return connection


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


def rate(directory, seconds=10.0):
    """Trials a second that are committed in the next seconds, by the daemon's word."""
    from nasd.client import Client, Target

    with Client.connect(Target(directory=directory), 60) as client:
        first, began = client.status().progress.trials, time.monotonic()
        time.sleep(seconds)
        return (client.status().progress.trials - first) / (time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evaluation", type=float, default=0.2, help="seconds that an evaluation takes meanwhile")
    arguments = parser.parse_args()
    with short_folder() as home:
        directory = make(home, 1_000_000, space={**wide()})
        tell(directory, seconds=arguments.evaluation)
        with Process(directory) as daemon:
            daemon.ready()
            process = psutil.Process(daemon.pid)
            quiet = rate(directory)
            Storm(directory, 2000, seed=0).run()  # what grows once has grown
            memory, times, sent, began = [process.memory_info().rss], [], 0, time.monotonic()
            measured: list[float] = []
            measuring = threading.Thread(target=lambda: measured.append(rate(directory)))
            measuring.start()
            for part in range(PARTS):
                storm = Storm(directory, arguments.frames // PARTS, seed=arguments.seed + part)
                times += storm.run()
                sent += storm.sent
                memory.append(process.memory_info().rss)
                assert not storm.wrong, storm.wrong[:5]
            took, fds = time.monotonic() - began, process.num_fds()
            measuring.join()
            assert daemon.process.poll() is None
            daemon.end()
        sound(directory)
    times.sort()
    for name, value in {
        "frames": sent,
        "frames a second": f"{sent / took:.0f}",
        "trials a second, quiet": f"{quiet:.2f}",
        "trials a second, meanwhile": f"{measured[0]:.2f}",
        "status meanwhile, ms, median": f"{1e3 * times[len(times) // 2]:.1f}",
        "status meanwhile, ms, 99 %": f"{1e3 * times[len(times) * 99 // 100]:.1f}",
        "memory before and after each part, MB": " ".join(f"{taken / 1e6:.1f}" for taken in memory),
        "descriptors after": fds,
    }.items():
        sys.stdout.write(f"{name:>38} {value}\n")


def wide():
    """A space in which few architectures are drawn twice."""
    from nasd_harness import SPACE

    return {**SPACE, "max_conv": 8, "conv_features": [16, 32, 64, 128, 256]}


if __name__ == "__main__":
    main()
