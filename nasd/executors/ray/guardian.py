"""The actor on a node: starts one worker process there, hands lines and files to and fro, and ends with its owner.

Everything that it takes and gives is bytes, which Ray passes on as they are: what comes to the daemon's box is JSON of
our own schema, or a file's content. The evaluation runs in a process of its own, the same as on the daemon's box, so
that whatever becomes of it is seen from here: its exit code, its last words, whether memory ran out.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

import msgspec

from nasd import __version__
from nasd.box.memory import memory_kills
from nasd.executors import messages
from nasd.executors.channel import MAX_LINE, WORDS, cause
from nasd.executors.ray.wire import Ended, Line, Said
from nasd.executors.work import Setup
from store import files

LEASE = 120.0  # seconds without a word from the owner after which an actor ends by itself
WATCH = 1.0  # seconds between two looks at whether it should
PRINTED = 1000  # lines that a worker printed and nobody has fetched yet; older ones are dropped
USUAL = (sys.executable, "-m", "nasd.executors.processes.worker")
PREFIX = "nasd-"
ALIVE = messages.encode(messages.Alive())


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What a guardian says of itself."""

    node: str  # Ray's name of the node
    host: str
    pid: int
    folder: str
    versions: dict[str, str]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a listing; the only one has no name where the listing is of a file."""

    name: str
    size: int
    sha256: str


class Guardian:
    """One worker's actor. Calls come from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: deque[Line] = deque()
        self._printed: deque[Said] = deque(maxlen=PRINTED)
        self._alive = False  # it gave a sign of life that nobody has fetched
        self._words: deque[str] = deque(maxlen=WORDS)
        self._end: Ended | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._kills_before = memory_kills()
        self._heard, self._raylet = time.monotonic(), os.getppid()
        self._folder, self._lock = Path(), -1
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self, id: int, command: bytes, setup: bytes, scratch: str) -> bytes:
        """Start the worker process.

        Args:
            id: For messages.
            command: Its argument vector as a JSON list; an empty one: as usual.
            setup: Its first line.
            scratch: Folder for files on their way; empty: the node's temporary folder.

        Returns:
            A `Started`.

        Raises:
            OSError: The disk refused, or there is no such program.
        """
        self._id = id
        self._make_folder(Path(scratch) if scratch else Path(tempfile.gettempdir()))
        running = threading.Event()
        # The kernel kills the worker when the thread ends that started it: this one stays until the worker has ended.
        threading.Thread(target=self._run, args=(tuple(msgspec.json.decode(command)) or USUAL, running)).start()
        running.wait()
        if self._process is None:
            raise OSError(self._end.reason if self._end else "the worker did not start")
        request = messages.decode_request(setup)
        assert isinstance(request, Setup)
        self.write(messages.encode(msgspec.structs.replace(request, staging=str(self._folder))))
        return msgspec.json.encode(
            Started(
                node=_node(),
                host=platform.node(),
                pid=self._process.pid,
                folder=str(self._folder),
                versions=versions(),
            )
        )

    def write(self, line: bytes) -> bytes:
        """Send the worker a line."""
        self._heard = time.monotonic()
        self._kills_before = memory_kills()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended
                self._process.stdin.write(line + b"\n")
                self._process.stdin.flush()
        return b""

    def read(self, wait: float) -> bytes:
        """What the worker said and printed since the last call, and whether it has ended: messages as JSON lines.

        Waits up to `wait` seconds for something else than a sign of life, of which there is one at the most: a call
        for each would take the daemon's box more than the evaluations do.
        """
        self._heard = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._printed or self._end, wait)
            found: list[Said | Line | Ended] = [*self._printed, *self._lines]
            if self._alive:
                found.append(Line(id=self._id, line=ALIVE))
            self._alive = False
            self._printed.clear()
            self._lines.clear()
            if self._end is not None:
                found.append(self._end)
        self._heard = time.monotonic()
        return b"\n".join(map(msgspec.json.encode, found))

    def list(self, path: str) -> bytes:
        """The files of a folder, or the one that `path` is, as a list of `Entry`; empty where there is nothing."""
        root = Path(path)
        if root.is_dir():
            found = sorted(each for each in root.rglob("*") if each.is_file())
        else:
            found = [root] if root.is_file() else []
        entries = []
        for each in found:
            with contextlib.suppress(FileNotFoundError), each.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                name = "" if each == root else str(each.relative_to(root))
                entries.append(Entry(name=name, size=file.tell(), sha256=digest))
        return msgspec.json.encode(entries)

    def chunk(self, path: str, offset: int, size: int) -> bytes:
        """A part of a file."""
        self._heard = time.monotonic()
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def put(self, path: str, offset: int, content: bytes) -> bytes:
        """Write a part of a file that is on its way here; the parts come one after the other."""
        self._heard = time.monotonic()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{files.TEMPORARY}{target.name}").open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(content)
        return b""

    def finish(self, path: str, sha256: str) -> bytes:
        """Give a file that is here its name.

        Raises:
            OSError: It is not what was sent.
        """
        target = Path(path)
        temporary = target.parent / f"{files.TEMPORARY}{target.name}"
        with temporary.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise OSError(f"{target.name} did not arrive as it was sent")
        temporary.rename(target)
        return b""

    def remove(self, path: str) -> bytes:
        """Remove a file or folder."""
        with contextlib.suppress(OSError):
            files.remove(Path(path))
        return b""

    def stop(self) -> bytes:
        """End the worker; it is gone, and its folder, when this returns."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            with self._changed:
                self._changed.wait_for(lambda: self._end, 10.0)
        if self._lock >= 0:
            shutil.rmtree(self._folder, ignore_errors=True)
        return b""

    # --- the worker ---------------------------------------------------------------------------------------------------

    def _run(self, command: tuple[str, ...], running: threading.Event) -> None:
        # Ray sets it for its own processes; a worker's threads are its setup's to say.
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, process_group=0)
        except OSError as error:
            self._ended(Ended(id=self._id, reason=f"could not be started: {error}", blame=False))
            running.set()
            return
        self._process = process
        running.set()
        readers = [threading.Thread(target=read, args=(process,)) for read in (self._hear, self._listen)]
        for reader in readers:
            reader.start()
        readers[0].join()
        try:
            code = process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            end = Ended(id=self._id, reason="closed its standard output and was ended", blame=True)
        else:
            readers[1].join(1.0)  # its last words may still be on their way
            why = cause(code, self._kills_before, tuple(self._words))
            end = Ended(id=self._id, reason=why.reason, blame=why.blame, fault=why.fault)
        self._ended(end)

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        while line := process.stdout.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                process.kill()
                return
            content = line.rstrip(b"\n")
            with self._changed:
                if content == ALIVE:
                    self._alive = True
                    continue
                self._lines.append(Line(id=self._id, line=content))
                self._changed.notify_all()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        while line := process.stderr.readline(1 << 16):
            text = line.decode(errors="replace").rstrip()[:2000]
            with self._changed:
                self._words.append(text)
                self._printed.append(Said(id=self._id, text=text))
                self._changed.notify_all()

    def _ended(self, end: Ended) -> None:
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def _watch(self) -> None:
        """End where nobody else does: Ray leaves an actor alone whose raylet was killed, and an owner that is cut off
        reaches it no more.
        """
        while time.monotonic() - self._heard < LEASE and os.getppid() == self._raylet:
            time.sleep(WATCH)
        sys.stderr.write(f"the raylet is gone, or the owner has said no word for {LEASE:g} s: this actor ends\n")
        self.stop()
        os.kill(os.getpid(), signal.SIGKILL)

    def _make_folder(self, scratch: Path) -> None:
        """A folder of its own, locked as long as it lives; those of actors that were killed go."""
        scratch.mkdir(parents=True, exist_ok=True)
        for left in scratch.glob(f"{PREFIX}*"):
            lock = _locked(left / "lock")
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
        made = Path(tempfile.mkdtemp(prefix=files.TEMPORARY, dir=scratch))
        (made / "lock").touch()
        self._lock = _locked(made / "lock") or -1
        self._folder = made.rename(scratch / f"{PREFIX}{os.getpid()}{made.name.removeprefix(files.TEMPORARY)}")


def versions() -> dict[str, str]:
    """What must agree between the daemon's box and a node."""
    return {
        "Python": platform.python_version(),
        "nasd": __version__,
        "torch": importlib.metadata.version("torch"),
    }


def _locked(path: Path) -> int | None:
    """A lock on an existing file, held until it is closed; None where another process has it, or there is no file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _node() -> str:
    import ray  # noqa: PLC0415 - it is loaded: this runs in one of its processes

    return str(ray.get_runtime_context().get_node_id())
