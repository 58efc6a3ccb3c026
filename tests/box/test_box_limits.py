"""What a process may use of its box: control groups of both versions, made of files and, where it may be, real."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nasd.box import limits
from nasd.box.devices import assign
from nasd.errors import NasdError

GIB = 1 << 30
OF_BOX = psutil.virtual_memory().total


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


V2 = {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cgroup.controllers": "cpu memory"}
V1 = {"proc/self/cgroup": "4:memory:/a\n2:cpu,cpuacct:/a\n1:name=systemd:/"}


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({}, None, []),
        (V2, None, []),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/b/memory.max": "max"}, None, []),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "50000 100000", "sys/fs/cgroup/a/b/memory.max": GIB,
               "sys/fs/cgroup/a/b/memory.current": 5000, "sys/fs/cgroup/a/b/memory.stat": "anon 1\ninactive_file 4000"},
         0.5, [(GIB, 1000)]),
        # a limit further up holds too, and of several the smallest counts
        (V2 | {"sys/fs/cgroup/a/cpu.max": "150000 100000", "sys/fs/cgroup/a/b/cpu.max": "400000 100000"}, 1.5, []),
        # a container's own group at the mount's root, under its host's path
        ({"proc/self/cgroup": "0::/../../kubepods/x", "sys/fs/cgroup/cpu.max": "200000 100000",
          "sys/fs/cgroup/memory.max": GIB}, 2.0, [(GIB, 0)]),
        (V1 | {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": 2**63 - 4096,
               "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": -1}, None, []),
        (V1 | {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": GIB, "sys/fs/cgroup/memory/a/memory.usage_in_bytes": 9,
               "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": 50000,
               "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": 100000}, 0.5, [(GIB, 9)]),
        ({"proc/self/cgroup": "4:memory:/docker/x\n2:cpu:/docker/x", "sys/fs/cgroup/memory/memory.limit_in_bytes": GIB,
          "sys/fs/cgroup/cpu/cpu.cfs_quota_us": 25000}, 0.25, [(GIB, 0)]),
    ],
)  # fmt: skip
def test_control_groups(tmp_path, files, cores, memory):
    root = tree(tmp_path, files)
    assert limits.cpu_quota(root) == cores
    assert list(limits._memory_groups(root)) == memory


def test_kills_of_the_containers_own(tmp_path):
    assert limits.memory_kills(tmp_path) == 0
    tree(tmp_path, V2 | {"sys/fs/cgroup/a/b/memory.events": "low 0\noom 4\noom_kill 3\noom_group_kill 0"})
    assert limits.memory_kills(tmp_path) == 3
    tree(tmp_path, V1 | {"sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2"})
    assert limits.memory_kills(tmp_path) == 2


def test_the_least_counts_and_is_named(monkeypatch):
    monkeypatch.setattr(limits.psutil, "cpu_count", lambda: 64)
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.delenv("NASD_THREADS", raising=False)
    monkeypatch.setattr(limits, "cpu_quota", lambda: None)
    assert limits.cores() == limits.Limit(64, 16, "affinity")
    monkeypatch.setattr(limits, "cpu_quota", lambda: 2.5)
    assert limits.cores() == limits.Limit(64, 3, "a control group's limit of 2.5 cores")
    monkeypatch.setenv("NASD_THREADS", "2")
    assert limits.cores() == limits.Limit(64, 2, "NASD_THREADS")
    assert assign(("cpu",), 1, None) == [("cpu", 2)]
    for wrong in ("two", "0", "-1", "٣"):
        monkeypatch.setenv("NASD_THREADS", wrong)
        with pytest.raises(NasdError, match="NASD_THREADS is"):
            limits.cores()


def test_doctor_shows_both_numbers(monkeypatch, capsys):
    from nasd.cli import doctor

    monkeypatch.setattr(limits, "_memory_groups", lambda: iter([(GIB, 1000)]))
    monkeypatch.setattr(limits, "cpu_quota", lambda: 0.5)
    found = {finding.what: finding.detail for finding in doctor._box()}
    assert found["memory"] == f"1.1 GB of {doctor.size(OF_BOX)} count: a control group's limit"
    assert found["cores"].startswith("1 of ")
    assert limits.available_memory() <= GIB - 1000


@pytest.fixture
def group():
    """A real control group of memory (v1 or v2), 512 MiB."""
    for mount, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        folder = Path("/sys/fs/cgroup") / mount / f"nasd-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            (folder / limit).write_text(str(GIB // 2))
            yield folder
            folder.rmdir()
            return
    pytest.skip("control groups may not be made here")


def inside(group, code):
    join = f"import os\nopen('{group}/cgroup.procs', 'w').write(str(os.getpid()))\n"
    return subprocess.run([sys.executable, "-c", join + code], capture_output=True, text=True, check=False, timeout=60)


def test_a_real_control_group(group):
    done = inside(group, "from nasd.box import limits\nprint(limits.memory().counts, limits.available_memory())")
    counts, available = map(int, done.stdout.split())
    assert counts == GIB // 2
    assert 0 < available <= counts


def test_a_kill_by_a_real_control_group_is_the_containers_own(group):
    code = (
        "import signal\nfrom nasd.box import limits\nbefore = limits.memory_kills()\nchild = os.fork()\n"
        "if not child: bytearray(b'x') * (1 << 30); os._exit(0)\n"
        "status = os.waitpid(child, 0)[1]\nprint(os.WTERMSIG(status) == signal.SIGKILL, limits.memory_kills() - before)"
    )
    assert inside(group, code).stdout.split() == ["True", "1"]
