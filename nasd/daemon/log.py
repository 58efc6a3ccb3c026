"""The daemon's log: JSON lines on disk with rotation, the newest records in memory, each to whoever listens."""

import itertools
import logging
import logging.handlers
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from nasd.config import LogConfig
from nasd.protocol import LOG_LISTING, MAX_FRAME, LogLevel, LogPage, LogParams, LogRecord, encode

LEVELS: dict[LogLevel, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
HELD = 5000  # records in memory, for clients
LONGEST = 4000  # characters of a message in memory; the file has all of it
PAGE = 500
PAGE_BYTES = MAX_FRAME // 2


class Journal(logging.Handler):
    """Holds the newest records for clients and passes each on."""

    def __init__(self, listener: Callable[[LogRecord], None]) -> None:
        super().__init__()
        self._records: deque[LogRecord] = deque(maxlen=HELD)
        self._ids = itertools.count(1)
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        kept = to_record(record, next(self._ids))
        if len(kept.message) > LONGEST:
            kept = msgspec.structs.replace(kept, message=kept.message[: LONGEST - 1] + "…")
        self._records.append(kept)
        self._listener(kept)

    def page(self, params: LogParams) -> LogPage:
        """The newest records below `before` that match, oldest first; as many as fit into a frame."""
        return _page(self._records, params)


class LogFiles:
    """The records of daemons that are gone, as far as their files hold them.

    Args:
        folder: Where the daemons of a run log to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: deque[LogRecord] | None = None

    def page(self, params: LogParams) -> LogPage:
        """As `Journal.page`."""
        if self._records is None:
            self._records = self._read()
        return _page(self._records, params)

    def _read(self) -> deque[LogRecord]:
        """The newest records; a line that is none, such as the torn last one of a kill, is left out."""
        kept: deque[LogRecord] = deque(maxlen=HELD)
        newest = self._folder / "daemon.jsonl"
        ids = itertools.count(1)
        for path in (newest.with_name("daemon.jsonl.1"), newest):  # older parts are further back than clients see
            try:
                lines = path.read_bytes().splitlines()
            except FileNotFoundError:
                continue
            for line in lines[-HELD:]:
                try:
                    record = msgspec.json.decode(line, type=LogRecord)
                except msgspec.DecodeError:
                    continue
                kept.append(msgspec.structs.replace(record, id=next(ids), message=record.message[:LONGEST]))
        return kept


def _page(records: Sequence[LogRecord], params: LogParams) -> LogPage:
    level, text, matches = LEVELS[params.level], params.text.casefold(), LOG_LISTING.matching(params.where)
    taken = 0
    rows: list[LogRecord] = []
    for record in reversed(records):
        if params.before is not None and record.id >= params.before:
            continue
        found = text in record.message.casefold() or text in record.source.casefold()
        if found and LEVELS[record.level] >= level and matches(record):
            taken += len(encode(record))
            if rows and taken > PAGE_BYTES:
                break
            rows.append(record)
            if len(rows) >= max(1, min(params.limit, PAGE)):
                break
    return LogPage(rows=tuple(reversed(rows)), first=records[0].id if records else 1)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(to_record(record, 0)).decode()


class _File(logging.handlers.RotatingFileHandler):
    """A full disk must not stop the daemon: a record that cannot be written is still in the journal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Give up on this record."""


def to_record(record: logging.LogRecord, id: int) -> LogRecord:
    """A record as clients and the file see it; a traceback becomes part of the message."""
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + logging.Formatter().formatException(record.exc_info)
    level: LogLevel = next((name for name, value in reversed(LEVELS.items()) if record.levelno >= value), "debug")
    return LogRecord(id=id, time=record.created, level=level, source=record.name.removeprefix("nasd."), message=message)


def set_up(config: LogConfig, folder: Path, listener: Callable[[LogRecord], None]) -> Journal:
    """Log everything named `nasd...` to `folder/daemon.jsonl`, rotated, and to the journal that is returned.

    A folder that cannot be written costs the file, not the search.
    """
    root = logging.getLogger("nasd")
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(LEVELS[config.level])
    journal = Journal(listener)
    root.addHandler(journal)
    path = folder / "daemon.jsonl"
    try:
        folder.mkdir(exist_ok=True)
        file = _File(path, maxBytes=config.max_bytes, backupCount=config.keep, encoding="utf-8")
    except OSError as error:
        root.warning("the log is kept in memory only, %s cannot be written: %s", path, error.strerror or error)
    else:
        file.setFormatter(_JsonLines())
        root.addHandler(file)
    return journal
