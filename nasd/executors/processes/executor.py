"""The executor of this box: its workers are processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nasd.box.devices import workers_of
from nasd.config import Config
from nasd.executors.crew import Crew
from nasd.executors.processes.channel import WORKER_COMMAND, Pipes
from nasd.executors.work import Setup
from nasd.protocol import WorkerStatus


class Processes(Crew):
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
        """See `nasd.executors.base.ExecutorFactory`."""
        executor = config.executor
        assert executor.kind == "processes"
        super().__init__(
            executor,
            Setup(
                config=text,
                device="",
                threads=1,
                staging=str(staging),
                memory_limit=executor.memory_limit,
                identity=identity,
            ),
            workers_of(executor),
            lambda number: Pipes(number, command or WORKER_COMMAND),
            changed=changed,
            trouble=trouble,
        )

    async def renew(self, config: Config, text: str, *, workers: bool) -> bool:
        """See `nasd.executors.base.Executor`."""
        here = config.executor.kind == "processes"
        return await super().renew(config, text, workers=workers and here) and here
