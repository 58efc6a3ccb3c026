"""Writing an embedding in parts, by a process that may be killed at any moment and goes on where it was.

Embeddings are computed in the order of the data set's mini-batches and stored by class. So each row first goes to its
place in a plain file beside the target; when all are there, they are copied into zarr shard by shard. Memory holds one
shard at most. From time to time the files are synced and `mark` says how far they are good.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from store import files
from store.embeddings.description import seal
from store.embeddings.layout import DTYPES, SHARD_BYTES, SPLITS
from store.embeddings.writing import by_class, create
from store.errors import EmbeddingError, RunLockedError, disk_errors
from store.lock import WriterLock, is_locked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Draft:
    """An unfinished embedding, in the hidden folder `.NAME.part` beside its target. A context manager.

    Attributes:
        mark: What `save` was last given, by this process or one before it; empty for a new draft.
    """

    def __init__(
        self,
        target: Path,
        request: Mapping[str, Any],
        labels: "Mapping[str, tuple[NDArray[Any], NDArray[Any]]]",
        values: int,
        dtype: str,
    ) -> None:
        """Begin, or go on with what an earlier process left there if it was the same request.

        Args:
            target: The embedding's folder; it must not exist.
            request: JSON-able: all that decides the values. A draft of another request is thrown away.
            labels: For each split (y, index), in the order in which `put` numbers the rows.
            values: A row's.
            dtype: Of the values.

        Raises:
            ValueError: A split or dtype that embeddings do not have.
            EmbeddingError: The target exists, or another process is writing it.
            DiskError: The disk refused.
        """
        import numpy as np  # noqa: PLC0415

        if not set(labels) <= set(SPLITS) or dtype not in DTYPES:
            raise ValueError(f"no embedding has the splits {', '.join(labels)} of dtype {dtype}")
        self.target = target
        self._folder = target.with_name(f".{target.name}.part")
        self._labels, self._values, self._dtype = dict(labels), values, np.dtype(dtype)
        self._orders = {name: by_class(y) for name, (y, _) in labels.items()}
        self._places = {name: np.argsort(order) for name, order in self._orders.items()}
        self._unsaved = 0
        with disk_errors(target, "write an embedding"):
            self._require_free()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(exist_ok=True)
            try:
                self._lock = WriterLock(self._folder / "lock")
            except RunLockedError as error:
                raise EmbeddingError(f"process {error.pid} is writing {target}; wait for it") from error
            try:
                self._require_free()
                self.mark = self._resume(dict(request))
                self._files = {name: self._rows_file(name).open("r+b", buffering=0) for name in labels}
            except BaseException:
                self._lock.release()
                raise

    @property
    def due(self) -> bool:
        """Whether a shard's worth of bytes has come in since the last `save`."""
        return self._unsaved >= SHARD_BYTES

    def put(self, split: str, rows: "NDArray[np.int64]", values: "NDArray[Any]") -> None:
        """Take the embeddings (N, values) of these rows (N,), in any order, again where they were given before.

        Raises:
            EmbeddingError: A value is not finite in the dtype of the embedding.
            DiskFullError: No space; what is there can be gone on with.
            DiskError: The disk refused.
        """
        import numpy as np  # noqa: PLC0415

        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(values, self._dtype)
        if not np.isfinite(kept).all():
            raise EmbeddingError(f"the embedding has values beyond {self._dtype}; choose a wider dtype")
        size, file = self._values * self._dtype.itemsize, self._files[split].fileno()
        with disk_errors(self._folder, "write an embedding"):
            for place, row in zip(self._places[split][rows].tolist(), kept, strict=True):
                files.write_at(file, row.data, place * size)
        self._unsaved += kept.nbytes

    def save(self, mark: "Mapping[str, NDArray[Any]]") -> None:
        """Sync what was put, and remember with it how to go on: some arrays. Raises DiskError, DiskFullError."""
        import numpy as np  # noqa: PLC0415

        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(mark))
        with disk_errors(self._folder, "write an embedding"):
            for name in self._files:
                files.sync(self._rows_file(name))
            files.write_atomically(self._folder / "mark.npz", buffer.getvalue())
        self.mark, self._unsaved = dict(mark), 0

    def finish(self, attributes: Mapping[str, Any]) -> None:
        """Copy all rows into zarr and give the embedding its name.

        Args:
            attributes: As for `stage`.

        Raises:
            ValueError: The attributes are not JSON.
            DiskFullError: No space; the shards that are there are kept.
            DiskError: The disk refused.
        """
        import zarr  # noqa: PLC0415

        json.dumps(attributes, allow_nan=False)
        whole = self._folder / "whole.zarr"
        with disk_errors(self.target, "write an embedding"):
            for described in whole.glob("**/zarr.json"):  # may be from before a power cut; the shards are compared
                described.unlink()
            group = zarr.create_group(whole, attributes=dict(attributes))
            for name, (y, index) in self._labels.items():
                order = self._orders[name]
                self._copy_rows(group, whole, name)
                for part, values in (("y", y), ("index", index)):
                    create(group, f"{name}/{part}", values.shape, values.dtype)[:] = values[order]
            seal(whole)
            files.sync_tree(whole)
            files.publish(whole, self.target)
            self.close()
            files.remove(self._folder)

    def _copy_rows(self, group: Any, whole: Path, split: str) -> None:
        import numpy as np  # noqa: PLC0415

        rows = len(self._orders[split])
        array = create(group, f"{split}/x", (rows, self._values), self._dtype)
        length = array.shards[0]
        for number, start in enumerate(range(0, rows, length)):
            count = min(length, rows - start)
            values = np.fromfile(
                self._rows_file(split),
                self._dtype,
                count * self._values,
                offset=start * self._values * self._dtype.itemsize,
            ).reshape(count, self._values)
            shard = whole / split / "x" / "c" / str(number) / "0"
            if not _holds(array, start, values, shard):
                shard.unlink(missing_ok=True)  # zarr would read a damaged one before it writes
                array[start : start + count] = values
                files.sync(shard)

    def _resume(self, request: dict[str, Any]) -> "dict[str, NDArray[Any]]":
        import numpy as np  # noqa: PLC0415

        rows = {
            name: hashlib.sha256(np.ascontiguousarray(y).tobytes() + np.ascontiguousarray(index).tobytes()).hexdigest()
            for name, (y, index) in self._labels.items()
        }
        asked = {"request": request, "rows": rows, "values": self._values, "dtype": self._dtype.name}
        text = json.dumps(asked, sort_keys=True, allow_nan=False).encode()
        found = self._folder / "request.json"
        if found.is_file() and found.read_bytes() == text:
            mark = self._folder / "mark.npz"
            if not mark.is_file():
                return {}
            with np.load(mark, allow_pickle=False) as arrays:
                return dict(arrays)
        for name in files.names(self._folder):
            if name != "lock":
                files.remove(self._folder / name)
        for name, order in self._orders.items():
            with self._rows_file(name).open("wb") as file:
                file.truncate(len(order) * self._values * self._dtype.itemsize)
        files.write_atomically(found, text)
        return {}

    def _rows_file(self, split: str) -> Path:
        return self._folder / f"{split}.rows"

    def _require_free(self) -> None:
        if self.target.exists():
            if self._folder.exists() and not is_locked(self._folder / "lock"):
                files.remove(self._folder)  # of a process that was killed when it had finished
            raise EmbeddingError(f"{self.target} exists already; choose another place, or remove it")

    def close(self) -> None:
        """Leave the draft for a later process. Fine to call twice."""
        for file in self._files.values():
            file.close()
        self._lock.release()

    def __enter__(self) -> "Draft":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _holds(array: Any, start: int, values: "NDArray[Any]", shard: Path) -> bool:
    """Whether a shard that an earlier process wrote is there, whole and the same."""
    if not shard.is_file():
        return False
    try:
        found = array[start : start + len(values)]
    except Exception:  # noqa: BLE001 - zarr and its codecs raise whatever the broken bytes lead them to
        return False
    return bool((found == values).all())
