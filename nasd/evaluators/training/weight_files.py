"""The files of full trainings, under `RUN/weights/`: `job-000007-1-best.safetensors`, `...-last.safetensors`, and, as
long as a training goes on, `...-checkpoint.safetensors`.
"""

import contextlib
import logging
from collections.abc import Collection
from pathlib import Path

from store import files

log = logging.getLogger("nasd.weights")

CHECKPOINT = "checkpoint"
_SUFFIX = ".safetensors"


class WeightFiles:
    """The files of one training. What the disk refuses is said in the log and costs nothing else.

    Args:
        stem: Folder and beginning of the names.
        keep: Whether the weights are kept, or only the checkpoint while the training goes on.
    """

    def __init__(self, stem: Path, *, keep: bool) -> None:
        self._stem, self._keep = stem, keep

    def path(self, name: str) -> Path:
        """Where `best`, `last` or `checkpoint` is."""
        return self._stem.with_name(f"{self._stem.name}-{name}{_SUFFIX}")

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        try:
            return self.path(name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a file."""
        if name != CHECKPOINT and not self._keep:
            return
        try:
            self._stem.parent.mkdir(exist_ok=True)
            files.write_atomically(self.path(name), content)
        except OSError as error:
            log.warning("%s is not written: %s", self.path(name), error)

    def names(self) -> tuple[str, ...]:
        """The weights that are there, relative to the run."""
        paths = (self.path(name) for name in ("best", "last"))
        return tuple(f"{path.parent.name}/{path.name}" for path in paths if path.exists())

    def ended(self) -> None:
        """The checkpoint is of no use any more."""
        with contextlib.suppress(OSError):
            self.path(CHECKPOINT).unlink(missing_ok=True)


def trial_stem(run: Path, number: int) -> Path:
    """Of a trial's files."""
    return run / "weights" / f"trial-{number:06}"


def job_stem(run: Path, id: int, repeat: int) -> Path:
    """Of the files of a job's repeat, counted from 1."""
    return run / "weights" / f"job-{id:06}-{repeat}"


def sweep(run: Path, trials: Collection[int], jobs: Collection[int]) -> None:
    """Remove unfinished files, and the checkpoints of all but these trials and jobs, which will go on."""
    folder = run / "weights"
    wanted = (*(f"trial-{number:06}-" for number in trials), *(f"job-{id:06}-" for id in jobs))
    with contextlib.suppress(OSError):  # what cannot be removed now may be at the next start
        for name in files.names(folder):
            is_checkpoint = name.endswith(f"-{CHECKPOINT}{_SUFFIX}")
            if name.startswith(files.TEMPORARY) or (is_checkpoint and not name.startswith(wanted)):
                files.remove(folder / name)
