"""The section `executor`: where evaluations run, and how long they may take."""

from typing import Annotated, Literal

from pydantic import Field

from nasd.config.section import Bytes, Positive, Seconds, Section


class ExecutorConfig(Section):
    """Where evaluations run, and how long they may take."""

    kind: Literal["processes"] = "processes"
    devices: tuple[Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")], ...] = ("auto",)
    workers_per_device: Positive = 1
    threads: Positive | None = None  # CPU threads of a worker; None: the cores, shared between the workers
    trial_timeout: Seconds = 3600.0
    trial_attempts: Positive = 3  # tries at one trial whose worker dies or is late, before it is a failed trial
    memory_limit: Bytes | None = None  # per worker; None: what the device has free
