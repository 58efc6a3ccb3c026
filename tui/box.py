"""The runs of a box, asked of a process of their own: they are known where no daemon runs, too. No Textual here."""

from nasd import protocol
from nasd.client import Target
from nasd.client.aio import Connection


class Box:
    """Asks when it is asked; connects for that when it has to."""

    def __init__(self) -> None:
        self._target: Target | None = None
        self._connection: Connection | None = None

    async def runs(self, target: Target) -> protocol.RunList:
        """Every run beside `target`, or of the box that it stands for.

        Raises:
            NasdError: Nobody answers.
        """
        box = target.box
        if self._connection is not None and (box != self._target or self._connection.failure is not None):
            await self.close()
        if self._connection is None:
            self._target, self._connection = box, await Connection.open(box, files=True)
        runs: protocol.RunList = await self._connection.call("runs")
        return runs

    async def close(self) -> None:
        """End the process."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def tell(target: Target, method: str) -> str:
    """Ask one run's daemon to do something, and return what it says.

    Raises:
        NasdError: It refuses, or does not answer.
    """
    connection = await Connection.open(target)
    try:
        done: protocol.Done = await connection.call(method)
        return done.message
    finally:
        await connection.close()
