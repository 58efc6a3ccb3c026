"""Several UIs on one daemon, in processes with terminals of their own; one of them is suspended."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World

ATTACH = "import sys, tui; from nasd.client import Target; from pathlib import Path; " \
    "sys.exit(tui.run(Target(directory=Path(sys.argv[1]))))"  # fmt: skip


class Terminal:
    """The UI in a pseudoterminal; `seen` is all that it wrote."""

    def __init__(self, directory: Path) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ATTACH, str(directory)], stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.master, self.seen = master, b""

    def read(self, seconds: float = 0.05) -> None:
        end = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0.0, end - time.monotonic()))[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                return

    def until(self, text: str, limit: float = 20.0) -> None:
        end = time.monotonic() + limit
        while text.encode() not in self.seen:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.seen[-2000:]!r}"
            self.read()
        self.seen = self.seen[self.seen.index(text.encode()) :]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@contextlib.contextmanager
def terminals(daemon: FakeDaemon, count: int) -> Iterator[list[Terminal]]:
    made = [Terminal(daemon.directory) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


def test_a_suspended_ui_disturbs_nobody(folder: Path) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(700))
    with daemon.thread(), terminals(daemon, 3) as (first, second, asleep):
        for one in (first, second, asleep):
            one.until("epoch 23/70")
        os.kill(asleep.process.pid, signal.SIGSTOP)

        async def work() -> None:
            for _ in range(30):
                daemon.finish_trial()
            daemon.heartbeat()

        started = time.monotonic()
        daemon.run(work())
        first.until("731")  # the trial that is next
        second.until("731")
        assert time.monotonic() - started < 5
        os.kill(asleep.process.pid, signal.SIGCONT)
        asleep.until("731")
        os.write(first.master, b"q")
        assert first.process.wait(10) == 0
        assert second.process.poll() is None
        daemon.run(work())
        second.until("761")


def test_ctrl_z_suspends_and_the_ui_comes_back(folder: Path) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(700))
    with daemon.thread(), terminals(daemon, 1) as (one,):
        one.until("epoch 23/70")
        os.write(one.master, b"\x1a")
        end = time.monotonic() + 10
        while Path(f"/proc/{one.process.pid}/stat").read_text().rsplit(") ", 1)[1][0] != "T":
            assert time.monotonic() < end
            one.read()
        one.seen = b""
        os.kill(one.process.pid, signal.SIGCONT)
        one.until("fashion-mnist")
        os.write(one.master, b"q")
        assert one.process.wait(10) == 0


def test_starts_light() -> None:
    """Neither torch, pandas, zarr nor numpy: they would cost more than the whole start may take."""
    heavy = ("torch", "pandas", "zarr", "numpy", "pydantic", "store")
    code = f"import sys, tui.app; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
