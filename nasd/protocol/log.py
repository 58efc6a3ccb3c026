"""The daemon's log."""

from typing import Literal

from nasd.filters import Listing
from nasd.protocol.wire import Message, Params, Whole

LogLevel = Literal["debug", "info", "warning", "error"]


class LogRecord(Message, frozen=True):
    """One record of the daemon's log."""

    id: int  # counts up while the daemon lives
    time: float
    level: LogLevel
    source: str
    message: str


LOG_LISTING: Listing[LogRecord] = Listing(
    fields={
        "level": ("choice", "debug, info, warning, error"),
        "source": ("text", "which part of the daemon says it"),
    },
    searched="source and message",
    values=lambda record: {"level": record.level, "source": record.source},
    texts=lambda record: f"{record.source} {record.message}",
)
"""What a filter may ask of a record."""


class LogPage(Message, frozen=True):
    """Records, oldest first."""

    rows: tuple[LogRecord, ...]
    first: int  # the oldest id that the daemon still holds


class LogParams(Params, frozen=True):
    """`log`: the newest `limit` records below id `before` (None: the newest of all) that match; `where` is a filter
    of `LOG_LISTING`.
    """

    before: Whole | None = None
    limit: Whole = 200
    level: LogLevel = "debug"  # and above
    text: str = ""
    where: str = ""
