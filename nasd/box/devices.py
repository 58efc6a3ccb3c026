"""The devices of this box, found without torch."""

import os

from nasd.box import limits
from nasd.config import AnyExecutor
from nasd.errors import NasdError


def workers_of(executor: AnyExecutor) -> list[tuple[str, int]]:
    """(device, CPU threads) of each of a search's workers, as each sees its device."""
    if executor.kind == "ray":  # which shows a worker no GPU but its own
        device = "cuda:0" if executor.devices == ("cuda",) else "cpu"
        return [(device, executor.threads or max(1, int(executor.resources.CPU)))] * executor.workers
    return assign(executor.devices, executor.workers_per_device, executor.threads)


def assign(devices: tuple[str, ...], workers_per_device: int, threads: int | None) -> list[tuple[str, int]]:
    """(device, CPU threads) of each worker; `auto` is every GPU of the box, or the CPU if there is none."""
    names: list[str] = []
    for device in devices:
        if device == "auto":
            gpus = count_gpus()
            names += [f"cuda:{index}" for index in range(gpus)] or ["cpu"]
        else:
            names.append("cuda:0" if device == "cuda" else device)
    names = [name for name in dict.fromkeys(names) for _ in range(workers_per_device)]
    return [(name, threads or max(1, limits.cores().counts // len(names))) for name in names]


def find_device(name: str) -> str:
    """The device of this box that a person named.

    Raises:
        NasdError: There is no such device.
    """
    there = ["cpu", *(f"cuda:{index}" for index in range(count_gpus()))]
    found = "cuda:0" if name == "cuda" else name
    if found not in there:
        raise NasdError(f"there is no device {name[:40]!r} on the daemon's box: it has {', '.join(there)}")
    return found


def count_gpus() -> int:
    """How many GPUs torch will see, without importing it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not visible.strip():
        return 0
    there = _driver_gpus()
    if visible is None:
        return there
    count = 0
    for entry in map(str.strip, visible.split(",")):  # CUDA stops at the first one that is not there
        if (entry.isdecimal() and int(entry) >= there) or entry in ("", "-1") or there == 0:
            break
        count += 1
    return count


def _driver_gpus() -> int:
    import pynvml  # noqa: PLC0415 - only where a GPU may be

    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0
