"""Finished trials for people's own tools: `log/events.jsonl`, and TensorBoard's files if the config asks for them.

Both follow the store and never lead it: what a killed daemon did not write, the next one reads from the store.
"""

import logging
import time
from pathlib import Path

import msgspec

from nasd.config import Config
from nasd.daemon.tensorboard import Board
from store import Run, StoreError, Trial

log = logging.getLogger("nasd.records")

_TAIL = 1 << 16  # bytes; the last line of the file lies within


class Records:
    """The mirrors of one run.

    Args:
        run: Open.
        config: Its `log` section counts; the whole of it is shown.

    Raises:
        NasdError: TensorBoard is asked for and not installed.
    """

    def __init__(self, run: Run, config: Config) -> None:
        self._run = run
        self._path = run.path / "log" / "events.jsonl"
        self._written: int | None = None  # order of the last trial in the file; None: not known
        self._board = Board(run.path / "log" / "tensorboard", config, run.config) if config.log.tensorboard else None

    def trial_finished(self, trial: Trial | None = None) -> None:
        """Write a trial that was just committed, and whatever is missing before it; None: only what is missing.

        A disk that refuses costs nothing but time: it is tried again at the next trial.
        """
        try:
            if self._written is None:
                self._path.parent.mkdir(exist_ok=True)
                self._written = _last_order(self._path, self._run.count())
            if trial is not None and trial.order == self._written + 1:
                self._write(trial)
            elif trial is None or trial.order > self._written:
                for missing, _ in self._run.updates(self._written + 1):
                    self._write(missing)
            if self._board is not None:
                self._board.follow(self._run)
        except (OSError, StoreError) as error:
            log.warning("%s is behind: %s", self._path.parent, error)
            self._written = None

    def close(self) -> None:
        """Write out what TensorBoard's files hold back."""
        if self._board is not None:
            self._board.close()

    def _write(self, trial: Trial) -> None:
        # Opened each time: somebody may have rotated or removed it.
        with self._path.open("ab", buffering=0) as file:
            event = {"event": "trial", "time": trial.finished_at or time.time(), **msgspec.to_builtins(trial)}
            file.write(msgspec.json.encode(event) + b"\n")
        self._written = trial.order


def _last_order(path: Path, trials: int) -> int:
    """The order of the last trial in the file, 0 if there is none; a half-written line is cut off.

    A file that knows of more trials than there are belongs to another life of the run, and is moved aside.
    """
    if not path.is_file():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        start = max(size - _TAIL, 0)
        file.seek(start)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(start + whole)
        lines = tail[:whole].splitlines()
    order = 0
    if lines:
        try:
            order = int(msgspec.json.decode(lines[-1])["order"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            order = trials + 1
    if order > trials:
        path.replace(path.with_suffix(f".{int(time.time())}.jsonl"))
        return 0
    return order
