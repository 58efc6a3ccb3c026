"""Each thing that a box can lack, provoked in a process of its own, and what is no fault of the box."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasd.box import faults

NOBODY = 54_321  # a user who has no other processes

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="another user's limits need root")
NAMESPACES = pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="there are no namespaces here",
)

PROVOKED = [
    pytest.param("processes", "", "few(RLIMIT_NPROC, 1); as_nobody(); Thread(target=int).start()", marks=ROOT),
    pytest.param("processes", "", "few(RLIMIT_NPROC, 1); as_nobody(); os.fork()", marks=ROOT),
    pytest.param("files", "", "few(RLIMIT_NOFILE, 8); [open('/dev/null') for _ in range(9)]"),
    pytest.param("files", "", "few(RLIMIT_NOFILE, 8); [os.pipe() for _ in range(9)]"),
    pytest.param("maps", "", "few(RLIMIT_AS, 1 << 32); mmap.mmap(-1, 1 << 40)"),
    pytest.param("shared memory", "", "import torch; full(); torch.empty(9**9).share_memory_()", marks=NAMESPACES),
    pytest.param("shared memory", "", "import torch; no_shm(); torch.empty(9).share_memory_()", marks=NAMESPACES),
    pytest.param(
        "disk", "mount -t tmpfs -o size=4k x {}", "open('{}/x', 'wb').write(bytes(1 << 20))", marks=NAMESPACES
    ),
    pytest.param("disk", "mount -t tmpfs -o ro x {}", "open('{}/x', 'wb')", marks=NAMESPACES),
    pytest.param("driver", "", "import torch; torch.empty(1, device='cuda')", marks=pytest.mark.skipif(
        Path("/dev/nvidia0").exists(), reason="there is a GPU")),
]  # fmt: skip

CHILD = """\
import ctypes, mmap, os, subprocess, sys
from resource import *
from threading import Thread
from nasd.box import faults

def few(what, number):
    setrlimit(what, (number, number))

def as_nobody():
    os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})

def full():
    subprocess.run("mount -t tmpfs -o size=4k x /dev/shm", shell=True, check=True)

def no_shm():
    subprocess.run("mount -t tmpfs -o ro x /dev/shm", shell=True, check=True)

try:
    {code}
except Exception as error:
    print(repr(error), file=sys.stderr)
    print(faults.of_error(error))
"""


@pytest.mark.parametrize(("lack", "prepare", "code"), PROVOKED)
def test_what_the_box_lacks_is_recognised(tmp_path, lack, prepare, code):
    child = CHILD.format(code=code.format(tmp_path), nobody=NOBODY)
    command = [sys.executable, "-c", child]
    if prepare or "share_memory" in code:
        words = f'{prepare.format(shlex.quote(str(tmp_path))) or ":"} && exec "$0" -c "$1"'
        command = ["unshare", "-m", "sh", "-c", words, sys.executable, child]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() == faults._LACKS[lack], done.stderr


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to "
                     "allocate 4 bytes. Error code 12 (Cannot allocate memory)"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("out of resource: shared memory, Required: 131072"),  # a kernel's, on the GPU
        MemoryError(), ValueError("No space left on device"), FileNotFoundError(2, "No such file or directory"),
    ],
    ids=lambda error: str(error)[:30],
)  # fmt: skip
def test_what_is_the_architectures_own(error):
    assert faults.of_error(error) is None


def test_the_cause_of_an_error_counts():
    error = ValueError("the file was not written")
    error.__cause__ = OSError(28, "No space left on device")
    assert faults.of_error(error) == faults._LACKS["disk"]


def test_the_last_words_of_a_process_count():
    said = "libgomp: Thread creation failed: Resource temporarily unavailable"
    assert faults.in_words(said) == faults._LACKS["processes"]
    assert faults.in_words("these are my last words") is None
