"""The embeddings that a run keeps."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from store import files
from store.embeddings.layout import Split
from store.embeddings.reading import Embedding
from store.embeddings.writing import stage
from store.errors import EmbeddingError, StoreError, disk_errors


class Embeddings:
    """The folder `embeddings/` of a run. What changes it needs a run that is open for writing.

    Attributes:
        path: The folder; where `stage` best writes.
    """

    def __init__(
        self, path: Path, referred_to: Callable[[], Mapping[str, tuple[int, float]]], *, writable: bool
    ) -> None:
        """Args: `referred_to` gives the (trial number, reward) of every folder that a row refers to."""
        self.path = path
        self.referred_to = referred_to
        self._writable = writable

    def write(self, name: str, splits: Mapping[str, Split], attributes: Mapping[str, Any]) -> str:
        """Write an embedding; refer to it from the trial's row afterwards. Arguments and errors as `stage`, `adopt`."""
        return self.adopt(stage(self.path, splits, attributes), name)

    def adopt(self, temporary: Path, name: str) -> str:
        """Give a staged embedding its final name; refer to it from the trial's row afterwards.

        Returns:
            `name`, for `Trial.embedding`.

        Raises:
            EmbeddingError: The name is taken, or is not a plain file name.
            DiskError: `temporary` is gone or on another file system, or the disk refused.
        """
        self._require_writable()
        if not is_name(name):
            raise EmbeddingError(f"{name!r} cannot name an embedding; use letters, digits and a suffix")
        target = self.path / name
        with disk_errors(target, "keep an embedding"):
            if target.exists():
                raise EmbeddingError(f"{target} exists already; choose another name")
            files.publish(temporary, target)
        return name

    def kept(self) -> dict[int, float]:
        """The trials whose embedding is kept, with their rewards. Raises StoreError."""
        return dict(self.referred_to().values())

    def open(self, trial: int) -> Embedding:
        """Open a trial's embedding.

        Raises:
            EmbeddingError: The trial has none, or it is not readable as one.
        """
        for name, (number, _) in self.referred_to().items():
            if number == trial:
                return Embedding(self.path / name)
        raise EmbeddingError(f"trial {trial} has no embedding in {self.path}; queue an embed job for it")

    def remove(self, name: str) -> None:
        """Remove a folder that no row refers to any more; what cannot be removed now is swept at the next start."""
        self._require_writable()
        if Path(name).name != name:  # one that is staged begins with a dot
            raise EmbeddingError(f"{name!r} is not the name of a folder in {self.path}")
        with contextlib.suppress(OSError):
            files.remove(self.path / name)

    def sweep(self) -> list[str]:
        """Remove everything that no row refers to, unfinished folders among it, and return the names.

        Raises:
            DiskError: The disk refused.
        """
        self._require_writable()
        kept = self.referred_to()
        with disk_errors(self.path, "sweep embeddings"):
            swept = [name for name in files.names(self.path) if name not in kept]
            for name in swept:
                files.remove(self.path / name)
        return swept

    def size(self) -> int:
        """Bytes on the disk."""
        return files.disk_usage(self.path)

    def over_quota(self, quota: int) -> tuple[int, ...]:
        """Choose the trials whose embeddings have to go so that the rest takes at most `quota` bytes.

        The lowest reward goes first, of equal ones the later trial. For `Delta.dropped_embeddings`.
        """
        kept = self.referred_to()
        sizes = {name: files.disk_usage(self.path / name) for name in kept}
        excess = sum(sizes.values()) - quota
        dropped = []
        for name, (number, _) in sorted(kept.items(), key=lambda item: (item[1][1], -item[1][0])):
            if excess <= 0:
                break
            dropped.append(number)
            excess -= sizes[name]
        return tuple(dropped)

    def _require_writable(self) -> None:
        if not self._writable:
            raise StoreError(f"{self.path.parent} is open for reading only; open it with writable=True")


def is_name(name: str) -> bool:
    """Whether an embedding may have this name: that of a folder inside `embeddings/` that is not unfinished."""
    return bool(name) and not name.startswith(".") and Path(name).name == name
