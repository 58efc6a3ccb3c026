"""Tells somebody who does not look: runs the config's command with an event as JSON on its standard input.

Nothing waits for the command. One runs at a time; of the events that wait, each occasion keeps its newest.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from nasd.config.notify import NotifyConfig, Occasion

log = logging.getLogger("nasd.notify")

LIMIT = 30.0  # seconds that the command may take
CLOSING = 5.0  # seconds that a daemon that ends gives the last one


class Notifier:
    """The command of one run.

    Args:
        config: What is run, and when.
        name: The run's.
        directory: Of the run.

    Attributes:
        config: May be replaced.
    """

    def __init__(self, config: NotifyConfig, name: str, directory: Path) -> None:
        self.config, self._name, self._directory = config, name, directory
        self._waiting: dict[Occasion, dict[str, Any]] = {}
        self._told: dict[Occasion, float] = {}  # when each occasion was told last, on a clock that only goes forward
        self._problems: dict[str, str] = {}  # that were told of, by what has them
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def finished(self, text: str, **facts: Any) -> None:
        """The search is finished."""
        self._tell("finished", text, facts)

    def best(self, text: str, **facts: Any) -> None:
        """A trial is better than all before it."""
        self._tell("best", text, facts)

    def problem(self, of: str, text: str | None) -> None:
        """Something needs a person, or, with None, does so no more. The same sentence again is no news."""
        if text is None:
            self._problems.pop(of, None)
        elif self._problems.get(of) != text:
            self._problems[of] = text
            self._tell("problem", text, {"of": of})

    def _tell(self, occasion: Occasion, text: str, facts: Mapping[str, Any]) -> None:
        if not self.config.command or occasion not in self.config.on:
            return
        self._waiting[occasion] = {
            "event": occasion,
            "run": self._name,
            "directory": str(self._directory),
            "host": os.uname().nodename,
            "time": time.time(),
            "text": f"{self._name}: {text}",
            **facts,
        }
        self._changed.set()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work(), name="notify")

    async def close(self) -> None:
        """What waits is told, if that takes no longer than `CLOSING`; then it is dropped."""
        self._told.clear()  # nothing is quiet any more
        self._changed.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=CLOSING)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            self._changed.clear()
            now = time.monotonic()
            due = {occasion: self._due(occasion) for occasion in self._waiting}
            occasion = min(due, key=lambda one: due[one])
            if due[occasion] > now:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), due[occasion] - now)
                continue
            self._told[occasion] = now
            await self._run(self._waiting.pop(occasion))

    def _due(self, occasion: Occasion) -> float:
        if occasion == "finished" or occasion not in self._told:
            return 0.0
        return self._told[occasion] + self.config.quiet

    async def _run(self, event: Mapping[str, Any]) -> None:
        """A command that fails is one line in the log."""
        command = self.config.command
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a null byte in an argument
            log.warning("notify.command %r cannot be run: %s", command[0], error)
            return
        try:
            _, said = await asyncio.wait_for(process.communicate(msgspec.json.encode(event) + b"\n"), LIMIT)
        except TimeoutError:
            log.warning("notify.command %r took longer than %g s and was ended", command[0], LIMIT)
        else:
            if process.returncode:
                last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                log.warning("notify.command %r failed with %d: %s", command[0], process.returncode, last[0][:500])
        finally:
            if process.returncode is None:
                _end(process.pid)
                await process.wait()


def _end(group: int) -> None:
    """The command and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
