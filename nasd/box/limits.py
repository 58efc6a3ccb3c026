"""What this process may use of its box: cores and memory, as affinity, control groups (v1 and v2) and NASD_THREADS say.

A container sees its host's memory and cores; what it may use of them stands in its control group, or in one above it.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from nasd.errors import NasdError

UNLIMITED = 1 << 60  # v1 writes a number near 2^63 for "no limit"


@dataclass(frozen=True)
class Limit:
    """How much the box has, how much counts, and what says so ("" where all of it counts)."""

    box: int
    counts: int
    by: str = ""


def cores() -> Limit:
    """Cores, at least 1; half a core more counts as one.

    Raises:
        NasdError: NASD_THREADS is no number.
    """
    box = psutil.cpu_count() or 1
    found = [Limit(box, box), Limit(box, len(os.sched_getaffinity(0)), "affinity")]
    if (quota := cpu_quota()) is not None:
        found.append(Limit(box, max(1, math.ceil(quota)), f"a control group's limit of {quota:g} cores"))
    if given := os.environ.get("NASD_THREADS"):
        if not given.isascii() or not given.isdecimal() or int(given) < 1:
            raise NasdError(f"NASD_THREADS is {given!r}: it must be a number of threads, such as 4")
        found.append(Limit(box, int(given), "NASD_THREADS"))
    return min(found, key=lambda limit: limit.counts)


def memory() -> Limit:
    """Bytes of memory."""
    box = psutil.virtual_memory().total
    limits = [value for value, _ in _memory_groups()]
    counts = min([box, *limits])
    return Limit(box, counts, "a control group's limit" if counts < box else "")


def available_memory() -> int:
    """Bytes that can be taken now: what the box has, or what a control group leaves, whichever is less."""
    return max(0, min([psutil.virtual_memory().available, *(limit - used for limit, used in _memory_groups())]))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores whose time the control groups allow; None: no limit."""
    quotas = []
    for folder in _groups("cpu", root):
        if (text := _read(folder / "cpu.max")) and (parts := text.split())[0] != "max":
            quotas.append(int(parts[0]) / int(parts[1]))
        elif (quota := _number(folder / "cpu.cfs_quota_us")) and quota > 0:
            quotas.append(quota / (_number(folder / "cpu.cfs_period_us") or 100_000))
    return min(quotas, default=None)


def memory_kills(root: Path = Path("/")) -> int:
    """How often a process of this control group was killed because the group's own memory ran out."""
    for folder in _groups("memory", root):
        for name in ("memory.events", "memory.oom_control"):
            for line in (_read(folder / name) or "").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _memory_groups(root: Path = Path("/")) -> Iterator[tuple[int, int]]:
    """(limit, used without what can be given back), in bytes, of each control group that has a limit."""
    for folder in _groups("memory", root):
        for limit_in, used_in, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = _number(folder / limit_in)
            if limit is not None and limit < UNLIMITED:
                yield limit, max(0, (_number(folder / used_in) or 0) - _field(folder / "memory.stat", cache))


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of this process's control group and of those above it, of v2 and of v1.

    A container often sees only its own, at the mount's root, under a path that is its host's.
    """
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            mounts = [f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{controller}"]
        else:
            continue
        for mount in map(root.joinpath, dict.fromkeys(mounts)):
            inner = Path(path.strip("/"))
            for at in dict.fromkeys((inner, *inner.parents)):
                if ".." not in at.parts and (mount / at).is_dir():
                    yield mount / at


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text and text.lstrip("-").isdecimal() else None


def _field(path: Path, name: str) -> int:
    lines = (_read(path) or "").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
