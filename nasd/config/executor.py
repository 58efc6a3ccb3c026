"""The section `executor`: where evaluations run, and how long they may take; one class per kind of executor."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from nasd.config.section import Bytes, NonNegative, Positive, Seconds, Section
from nasd.config.unions import by


class _ExecutorConfig(Section):
    threads: Positive | None = None  # CPU threads of a worker; None: the cores, shared between the workers
    trial_timeout: Seconds = 3600.0
    trial_attempts: Positive = 3  # tries at one trial whose worker dies or is late, before it is a failed trial
    memory_limit: Bytes | None = None  # per worker; None: what the device has free


class ProcessesConfig(_ExecutorConfig):
    """Worker processes of the daemon's box."""

    kind: Literal["processes"] = "processes"
    devices: tuple[Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")], ...] = ("auto",)
    workers_per_device: Positive = 1


class ResourcesConfig(Section):
    """What a worker takes of a node. Besides, one on `cuda` takes a GPU."""

    CPU: NonNegative = 1.0
    GPU: NonNegative | None = None  # a fraction of 1 lets workers share a GPU; None: 1 on cuda, 0 on cpu
    memory: Bytes | None = None  # Ray places by it, and does not hold a worker to it; None: it is not looked at


class RayConfig(_ExecutorConfig):
    """Workers on the nodes of a Ray cluster (docs/cluster.md)."""

    kind: Literal["ray"]
    address: Annotated[str, Field(pattern=r"^(auto|local|[A-Za-z0-9.\[\]:-]+:\d+)$")] = "auto"  # or HOST:PORT
    devices: tuple[Literal["cpu", "cuda"]] = ("cpu",)  # one kind, so that all workers give the same results
    workers: Positive = 1
    resources: ResourcesConfig = ResourcesConfig()
    scratch: str | None = None  # folder on each node for files on their way; None: its temporary folder
    data_root: str | None = None  # `data.root` on the nodes; None: as on the daemon's box
    checkpoint_every: Seconds = 600.0  # between two checkpoints of a training that are brought back

    @property
    def gpu(self) -> float:
        """That each worker takes."""
        if self.devices[0] != "cuda":
            return 0.0
        return 1.0 if self.resources.GPU is None else self.resources.GPU

    def fit(self, cpus: float, gpus: float, memory: float) -> int:
        """How many workers have room on a node with these."""
        needs = ((cpus, self.resources.CPU), (gpus, self.gpu), (memory, float(self.resources.memory or 0)))
        return min([self.workers, *(int(have / need) for have, need in needs if need)])


AnyExecutor = Annotated[
    Annotated[ProcessesConfig, Tag("processes")] | Annotated[RayConfig, Tag("ray")],
    Discriminator(by("kind", default="processes")),
]
"""Every kind of `executor`."""
