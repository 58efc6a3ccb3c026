"""Embedding arrays of a run (zarr v3), one folder a trial."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from store import files
from store.errors import EmbeddingError, disk_errors


class Embeddings:
    """The folder `embeddings/` of a run."""

    def __init__(
        self,
        path: Path,
        name_of: Callable[[int], str | None],
        referred_to: Callable[[], Mapping[str, tuple[int, float]]],
    ) -> None:
        self.path = path
        self._name_of = name_of
        self._referred_to = referred_to

    def adopt(self, temporary: Path, name: str) -> str:
        """Give a staged embedding its final name. Refer to it from a trial's row afterwards."""
        with disk_errors(self.path / name, "keep an embedding"):
            if (self.path / name).exists():
                raise EmbeddingError(f"{self.path / name} exists already; choose another name")
            files.publish(temporary, self.path / name)
        return name

    def remove(self, name: str) -> None:
        """Remove a folder that no trial refers to any more; what cannot be removed now is swept at the next start."""
        with contextlib.suppress(OSError):
            files.remove(self.path / name)

    def sweep(self) -> list[str]:
        """Remove everything that no trial refers to, and return the names."""
        kept = self._referred_to()
        with disk_errors(self.path, "sweep embeddings"):
            swept = [name for name in files.names(self.path) if name not in kept]
            for name in swept:
                files.remove(self.path / name)
        return swept
