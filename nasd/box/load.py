"""The load of the box: CPU, memory, disk, GPUs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from nasd.box import limits
from nasd.protocol import Device, Machine


class Gauge:
    """Reads the load. The run directory is measured anew only every `DISK_EVERY` readings."""

    DISK_EVERY = 15

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._readings = 0
        self._disk_run = 0
        self._gpus = _gpu_handles()
        psutil.cpu_percent()  # the first call only starts the measurement

    @property
    def measures_disk(self) -> bool:
        """Whether the next reading measures the run directory."""
        return self._readings % self.DISK_EVERY == 0

    def read(self) -> Machine:
        """The load since the last reading.

        Raises:
            OSError: The run directory cannot be read.
        """
        if self.measures_disk:
            self._disk_run = _size(self._directory)
        self._readings += 1
        total = limits.memory().counts
        return Machine(
            cpu=psutil.cpu_percent() / 100,
            memory_used=total - limits.available_memory(),
            memory_total=total,
            disk_run=self._disk_run,
            disk_free=shutil.disk_usage(self._directory).free,
            devices=tuple(_read_gpu(index, handle) for index, handle in enumerate(self._gpus)),
        )


def _size(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:  # removed meanwhile
            continue
    return total


def _gpu_handles() -> list[object]:
    import pynvml  # noqa: PLC0415 - a driver may be missing

    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _read_gpu(index: int, handle: object) -> Device:
    import pynvml  # noqa: PLC0415

    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        return Device(
            name=f"cuda:{index}",
            utilisation=load,
            memory_used=int(memory.used),
            memory_total=int(memory.total),
            temperature=_known(lambda: float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))),
            power=_known(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000),
        )
    except pynvml.NVMLError:  # the driver went away
        return Device(name=f"cuda:{index}", utilisation=None, memory_used=0, memory_total=0)


def _known(read: Callable[[], float]) -> float | None:
    """What a device measures, or None: not every one does."""
    import pynvml  # noqa: PLC0415

    try:
        return read()
    except pynvml.NVMLError:
        return None
