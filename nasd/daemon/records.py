"""Finished trials for people's own tools: `log/events.jsonl`, and TensorBoard's files if the config asks for them.

Both follow the store and never lead it: what a killed daemon did not write, the next one reads from the store.
"""

import logging
import time

import msgspec

from nasd.config import Config
from nasd.daemon.events import EventFile
from nasd.daemon.tensorboard import Board
from nasd.runs import changes
from store import Run, StoreError, Trial

log = logging.getLogger("nasd.records")


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
        self._file = EventFile(run.path / "log" / "events.jsonl", config.log.max_bytes, config.log.keep)
        self._written: int | None = None  # order of the last trial in the file; None: not known
        self._board = (
            Board(run.path / "log" / "tensorboard", config, changes.text_of(run)) if config.log.tensorboard else None
        )

    def trial_finished(self, trial: Trial | None = None) -> None:
        """Write a trial that was just committed, and whatever is missing before it; None: only what is missing.

        A disk that refuses costs nothing but time: it is tried again at the next trial.
        """
        try:
            if self._written is None:
                self._written = self._file.last_order(self._run.count())
            if trial is not None and trial.order == self._written + 1:
                self._write(trial)
            elif trial is None or trial.order > self._written:
                for missing in self._run.observed(self._written + 1):
                    self._write(missing)
            if self._board is not None:
                self._board.follow(self._run)
        except (OSError, StoreError) as error:
            log.warning("%s is behind: %s", self._file.path.parent, error)
            self._written = None

    def close(self) -> None:
        """Write out what TensorBoard's files hold back."""
        if self._board is not None:
            self._board.close()

    def _write(self, trial: Trial) -> None:
        self._file.append({"event": "trial", "time": trial.finished_at or time.time(), **msgspec.to_builtins(trial)})
        self._written = trial.order
