"""What became of the memory of this box."""

import contextlib
from pathlib import Path


def memory_kills() -> int:
    """How often the kernel has killed something on this box, or in this container, for want of memory."""
    count = 0
    for path, key in (("/proc/vmstat", "oom_kill "), ("/sys/fs/cgroup/memory.events", "oom_kill ")):
        with contextlib.suppress(OSError, ValueError), Path(path).open(encoding="ascii") as file:
            count += sum(int(line.split()[1]) for line in file if line.startswith(key))
    return count
