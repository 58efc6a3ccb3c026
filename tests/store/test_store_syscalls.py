"""What is renamed was synced before, folders too; what is committed was synced: recorded by strace."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import store

# A `stat` of a path that is not there marks what happens in between.
PRELUDE = """
import contextlib, os, pathlib, sys
from tests.helpers import store_samples as samples
from store import Run
from store.embeddings import stage
path = pathlib.Path(sys.argv[1])

@contextlib.contextmanager
def marked(name):
    os.path.exists(f"/begin-{name}")
    yield
    os.path.exists(f"/end-{name}")
"""
COMMITTING = """
with samples.create(path / "run", 3) as run:
    for number in range(4, 9):
        with marked("commit"):
            run.commit(samples.step(number))
"""
CREATING = """
with marked("create"):
    Run.create(path / "run", "seed: 1", name="a", version="1").close()
"""
EMBEDDING = """
with samples.create(path / "run", 3) as run:
    with marked("embedding"):
        run.embeddings.write("one.zarr", {"train": samples.split(500)}, {"trial": 4})
"""
ADOPTING = """
with samples.create(path / "run", 3) as run:
    staged = samples.stage_file(run, b"x" * 10_000)
    with marked("adopt"):
        run.files.adopt(staged, "one.bin")
"""
FORKING = """
with samples.create(path / "run", 3) as run:
    with marked("fork"):
        run.fork(path / "fork", at=2, name="fork", version="1").close()
"""
REPLACING = """
from store import files
with marked("replace"):
    files.write_atomically(path / "file", b"x" * 10_000)
"""
TRACED = (
    "openat,open,creat,mkdir,mkdirat,write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,"
    "rename,renameat,renameat2,link,linkat,unlink,stat,newfstatat"
)


@dataclass(frozen=True)
class Call:
    name: str
    paths: tuple[str, ...]  # of descriptors and arguments, absolute
    writes: bool = False  # makes a name that was not there

    @property
    def path(self):
        return self.paths[0]


LINE = re.compile(r"^(?:\[pid\s+)?\d*\]?\s*(\w+)\((.*)\)\s+= (-?\d+)(.*)$")


def calls(tmp_path, code, mark):
    """The successful system calls between the marks, one list for each time."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "strace"
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-s", "300", "-e", f"trace={TRACED}", "-e", "signal=none", "-o", str(log),
         sys.executable, "-c", PRELUDE + code, str(tmp_path)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr.lower() and done.returncode:
        pytest.skip("this machine does not let strace look")
    assert done.returncode == 0, done.stderr
    found, inside = [], None
    for line in whole(_unescaped(log.read_bytes()).splitlines()):
        if f'"/begin-{mark}"' in line:
            inside = []
        elif f'"/end-{mark}"' in line:
            found.append(inside)
            inside = None
        elif inside is not None and (call := parsed(line)) is not None:
            inside.append(call)
    assert found, "no mark was recorded"
    return found


def _unescaped(text):
    """With the letters of paths that strace writes as octal numbers."""
    return re.sub(rb"\\([2-3][0-7]{2})", lambda octal: bytes([int(octal[1], 8)]), text).decode(errors="replace")


def whole(lines):
    """Put calls together that another thread interrupted: they count where they ended."""
    begun = {}
    for line in lines:
        pid, _, rest = line.partition(" ")
        if rest.rstrip().endswith("<unfinished ...>"):
            begun[pid] = rest.rstrip().removesuffix("<unfinished ...>").rstrip()
        elif (resumed := re.match(r"\s*<\.\.\. \w+ resumed>(.*)", rest)) is not None:
            yield begun.pop(pid, "") + resumed[1]
        else:
            yield rest


def parsed(line):
    match = LINE.match(line.strip())
    if match is None or int(match[3]) < 0:
        return None
    name, arguments = match[1], match[2]
    folders = iter(re.findall(r"(?:AT_FDCWD|\d+)<([^>]*)>", arguments))
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)
    if name in ("fsync", "fdatasync", "write", "pwrite64", "writev", "pwritev", "ftruncate"):
        return Call(name, (next(folders, ""),))
    paths = tuple(str(Path(next(folders, ""), text)) for text in texts)
    return Call(name, paths, writes="O_CREAT" in arguments or name.startswith("mkdir"))


DATA = ("write", "pwrite64", "writev", "pwritev", "ftruncate")
SYNC = ("fsync", "fdatasync")


def under(path, root):
    return path == root or path.startswith(root + "/")


def unsynced(recorded, root):
    """Files and folders at or below `root` whose last change was not followed by a sync."""
    dirty = set()
    for call in recorded:
        if not call.paths:
            continue
        if call.name in DATA and under(call.path, root):
            dirty.add(call.path)
        elif call.name in SYNC:
            dirty.discard(call.path)
        elif call.writes or call.name.startswith(("link", "rename")):
            made = call.paths[-1]
            if call.name.startswith("rename"):  # what was not synced still is not, under its new name
                dirty = {made + path[len(call.path) :] if under(path, call.path) else path for path in dirty}
            if under(str(Path(made).parent), root):
                dirty.add(str(Path(made).parent))
            if call.writes and under(made, root):
                dirty.add(made)
        elif call.name.startswith("unlink"):
            dirty = {path for path in dirty if not under(path, call.path)}
    return dirty


def assert_published(recorded, target):
    """It was renamed to `target` when it was whole on the disk, and the rename itself was synced."""
    renames = [n for n, call in enumerate(recorded) if call.name.startswith("rename") and call.paths[-1] == target]
    assert len(renames) == 1, f"{target} was renamed {len(renames)} times"
    place = renames[0]
    source = recorded[place].paths[0]
    assert any(call.name in SYNC and call.path == source for call in recorded[:place]), f"{source} was not synced"
    assert not unsynced(recorded[:place], source)
    assert any(call.name in SYNC and call.path == str(Path(target).parent) for call in recorded[place:])


def test_the_log_is_synced_before_a_commit_returns(tmp_path):
    log = str(tmp_path / "run" / "run.db-wal")
    for recorded in calls(tmp_path, COMMITTING, "commit"):
        written = [n for n, call in enumerate(recorded) if call.name in DATA and call.path == log]
        assert written
        assert any(call.name in SYNC and call.path == log for call in recorded[written[-1] :])


@pytest.mark.parametrize(
    ("code", "mark", "target"),
    [
        (CREATING, "create", "run"),
        (FORKING, "fork", "fork"),
        (EMBEDDING, "embedding", "run/embeddings/one.zarr"),
        (ADOPTING, "adopt", "run/learned/one.bin"),
        (REPLACING, "replace", "file"),
    ],
    ids=["run", "fork", "embedding", "learned", "file"],
)
def test_what_is_renamed_was_synced(tmp_path, code, mark, target):
    (recorded,) = calls(tmp_path, code, mark)
    assert_published(recorded, str(tmp_path / target))


def test_the_check_sees_what_is_missing(tmp_path):
    """A sync left out is noticed: without one, before the rename, and after it."""
    (recorded,) = calls(tmp_path, REPLACING, "replace")
    target = str(tmp_path / "file")
    syncs = [n for n, call in enumerate(recorded) if call.name in SYNC]
    assert len(syncs) == 2
    for left_out in syncs:
        with pytest.raises(AssertionError):
            assert_published(recorded[:left_out] + recorded[left_out + 1 :], target)
