"""What the CPU can do."""

import contextlib
import platform
from pathlib import Path

BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}  # the last one on ARM


def model_name(description: Path = Path("/proc/cpuinfo")) -> str:
    """What the processor calls itself, or else its kind."""
    with contextlib.suppress(OSError):
        for line in description.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def multiplies_bfloat16(description: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether it has instructions for products of bfloat16, twice as fast as those of float32 and more."""
    try:
        text = description.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not BFLOAT16.isdisjoint(text.split())
