"""The executor on a Ray cluster (docs/cluster.md): its workers are actors on the cluster's nodes.

The daemon's process knows nothing of Ray: a bridge, a process of its own, does (`nasd.executors.ray.bridge`).
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nasd import config as configuration
from nasd.box.devices import workers_of
from nasd.config import Config
from nasd.errors import ConfigError
from nasd.executors.crew import Crew
from nasd.executors.ray.channel import Actor, Needs
from nasd.executors.ray.link import Link
from nasd.executors.ray.survey import INSTALL
from nasd.executors.ray.wire import Connect
from nasd.executors.work import Setup
from nasd.protocol import Node, WorkerStatus

CLUSTER = -1  # in place of a worker's number: trouble that all of them have


class Ray(Crew):
    """See `nasd.executors.base.Executor`."""

    def __init__(
        self,
        config: Config,
        text: str,
        staging: Path,
        *,
        changed: Callable[[WorkerStatus], None],
        trouble: Callable[[int, str | None], None],
        command: tuple[str, ...] | None = None,
        identity: dict[str, Any] | None = None,
    ) -> None:
        """See `nasd.executors.base.ExecutorFactory`.

        Raises:
            ConfigError: Ray is not installed.
        """
        executor = config.executor
        assert executor.kind == "ray"
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(f"executor.kind is {INSTALL}")
        resources, devices = executor.resources, workers_of(executor)
        connect = Connect(address=executor.address, cpus=max(1.0, (len(devices) + 1) * resources.CPU))
        self._link = Link(connect, lambda problem: trouble(CLUSTER, problem), self._nodes_changed)
        needs = Needs(
            command=command,
            cpu=resources.CPU,
            gpu=executor.gpu,
            memory=resources.memory,
            scratch=executor.scratch,
            checkpoint_every=executor.checkpoint_every,
        )
        if executor.data_root is not None:
            data = config.data.model_copy(update={"root": Path(executor.data_root)})
            text = configuration.dump(config.model_copy(update={"data": data}))
        super().__init__(
            executor,
            Setup(
                config=text,
                device="",
                threads=1,
                staging="",
                memory_limit=executor.memory_limit,
                identity=identity,
            ),
            devices,
            lambda number: Actor(number, self._link, needs, staging),
            changed=changed,
            trouble=trouble,
        )

    async def renew(self, config: Config, text: str, *, workers: bool) -> bool:
        """See `nasd.executors.base.Executor`. Its actors, and what they ask of nodes, are settled at a start."""
        await super().renew(config, text, workers=False)
        return not workers

    async def close(self) -> None:
        """End all workers, and leave the cluster."""
        await super().close()
        await self._link.close()

    def _nodes_changed(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
