"""What became of the memory of this box."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from nasd.box import limits


class Kills(NamedTuple):
    """How often the kernel has killed something for want of memory."""

    of_box: int
    of_container: int


def memory_kills() -> Kills:
    """So far, on this box and in this container."""
    count = 0
    with contextlib.suppress(OSError, ValueError), Path("/proc/vmstat").open(encoding="ascii") as file:
        count = sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return Kills(count, limits.memory_kills())
