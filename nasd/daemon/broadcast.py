"""Events: numbered, and sent to everybody who listens; nobody is waited for."""

import asyncio
import logging
from collections.abc import Callable

from nasd import protocol
from nasd.protocol import Event

log = logging.getLogger("nasd.server")

BACKLOG = 8 << 20  # bytes of unread events at which a subscriber is dropped


class Broadcast:
    """Reaches every subscriber.

    Args:
        listener: Hears every event besides, in this process; for a foreground run.
        deserted: Called when the listener has raised OSError, after which it hears nothing more.

    Attributes:
        seq: The number of the last event.
    """

    def __init__(
        self, listener: Callable[[Event], None] | None = None, deserted: Callable[[], None] = lambda: None
    ) -> None:
        self.seq = 0
        self._listener, self._deserted = listener, deserted
        self._subscribers: set[asyncio.StreamWriter] = set()

    @property
    def subscribers(self) -> int:
        """How many clients listen."""
        return len(self._subscribers)

    def add(self, writer: asyncio.StreamWriter) -> None:
        """Let a client hear what comes."""
        self._subscribers.add(writer)

    def discard(self, writer: asyncio.StreamWriter) -> None:
        """Let a client go, also one that never listened."""
        self._subscribers.discard(writer)

    def publish(self, make: Callable[[int], Event]) -> None:
        """Send an event to all who listen.

        Args:
            make: Makes it from its sequence number; not called while nobody listens.
        """
        if self._subscribers:  # else a snapshot is numbered with `seq`, so no gap can be seen
            self._send(make)
        if self._listener is not None:
            try:
                self._listener(make(self.seq))
            except OSError:  # the terminal, or what the progress was piped into, is gone
                self._listener = None
                self._deserted()

    def _send(self, make: Callable[[int], Event]) -> None:
        self.seq += 1
        frame = protocol.encode_event(make(self.seq))
        slow = [writer for writer in self._subscribers if writer.transport.get_write_buffer_size() > BACKLOG]
        for writer in slow:
            self._subscribers.discard(writer)
            writer.transport.abort()
        for writer in self._subscribers:
            if not writer.is_closing():
                writer.write(frame)
        for _ in slow:  # only now: a log record is itself an event
            log.warning("dropped a subscriber that does not read")
