"""The box's load over the last day, minute by minute. In memory alone: a daemon that starts knows nothing of it."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nasd.protocol import Device, DeviceHistory, Machine, MachineHistory

STEP = 60.0  # seconds
KEPT = 24 * 60
HOUR = 60  # steps
MOST_POINTS = 480


@dataclass
class _Minute:
    """What was read in one minute."""

    start: float
    readings: list[Machine] = field(default_factory=list)
    trials: int = 0


class LoadHistory:
    """A ring of minutes."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=KEPT)
        self._current: _Minute | None = None

    def add(self, time: float, machine: Machine) -> None:
        """A reading, at a time in seconds since the epoch."""
        self._minute(time).readings.append(machine)

    def trial_finished(self, time: float) -> None:
        """A trial, at a time in seconds since the epoch."""
        self._minute(time).trials += 1

    def answer(self, points: int) -> MachineHistory:
        """The last day in at most so many points, each the mean of some minutes."""
        minutes = [*self._minutes, *([self._current] if self._current and self._current.readings else [])]
        rates = _rates([minute.trials for minute in minutes])
        group = max(1, math.ceil(len(minutes) / max(2, min(points, MOST_POINTS))))
        starts = range(len(minutes) % group - group if len(minutes) % group else 0, len(minutes), group)
        groups = [minutes[max(0, start) : start + group] for start in starts]
        readings = [[one for minute in part for one in minute.readings] for part in groups]
        names = list(dict.fromkeys(device.name for of in readings for one in of for device in one.devices))
        return MachineHistory(
            times=tuple(part[-1].start for part in groups),
            trials_per_hour=tuple(rates[min(start + group, len(rates)) - 1] for start in starts),
            cpu=tuple(_mean(one.cpu for one in of) for of in readings),
            memory=tuple(_mean(one.memory_used for one in of) for of in readings),
            devices=tuple(_device(name, readings) for name in names),
        )

    def _minute(self, time: float) -> _Minute:
        start = time - time % STEP
        if self._current is None or self._current.start != start:
            if self._current is not None and self._current.readings:
                self._minutes.append(_condensed(self._current))
            self._current = _Minute(start)
        return self._current


def _condensed(minute: _Minute) -> _Minute:
    """A minute with one reading that stands for all: some 30 of them for a day would take a hundred megabytes."""
    last = minute.readings[-1]
    devices = tuple(_mean_device(device.name, minute.readings) for device in last.devices)
    reading = Machine(
        cpu=_mean(one.cpu for one in minute.readings) or 0.0,
        memory_used=round(_mean(one.memory_used for one in minute.readings) or 0),
        memory_total=last.memory_total,
        disk_run=last.disk_run,
        disk_free=last.disk_free,
        devices=devices,
    )
    return _Minute(minute.start, [reading], minute.trials)


def _mean_device(name: str, readings: Sequence[Machine]) -> Device:
    of = [device for one in readings for device in one.devices if device.name == name]
    return Device(
        name=name,
        utilisation=_mean(one.utilisation for one in of),
        memory_used=round(_mean(one.memory_used for one in of) or 0),
        memory_total=of[-1].memory_total,
        temperature=_mean(one.temperature for one in of),
        power=_mean(one.power for one in of),
    )


def _device(name: str, readings: Sequence[Sequence[Machine]]) -> DeviceHistory:
    of = [[device for one in part for device in one.devices if device.name == name] for part in readings]
    return DeviceHistory(
        name=name,
        utilisation=tuple(_mean(one.utilisation for one in part) for part in of),
        memory=tuple(_mean(one.memory_used for one in part) for part in of),
        temperature=tuple(_mean(one.temperature for one in part) for part in of),
        power=tuple(_mean(one.power for one in part) for part in of),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _rates(trials: Sequence[int]) -> list[float]:
    """Trials per hour at each minute, over the hour that ends there, or as much of it as is known."""
    found, window = [], 0
    for at, count in enumerate(trials):
        window += count - (trials[at - HOUR] if at >= HOUR else 0)
        found.append(window * HOUR / min(HOUR, at + 1))
    return found
