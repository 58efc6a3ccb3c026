"""Reading an embedding, and checking what is read."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.embeddings.description import CHECKSUM, is_as_written
from store.embeddings.layout import DTYPES, PARTS, SHARD_BYTES, SPLITS, Split
from store.errors import EmbeddingError, StoreError, disk_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CODECS = {"sharding_indexed", "bytes", "zstd", "crc32c"}
_MAX_SHARD = 16 * SHARD_BYTES
_MAX_METADATA = 8 << 20  # bytes of one zarr.json


@dataclass(frozen=True, slots=True)
class _Array:
    """What a `zarr.json` says, once it was found to be one of ours."""

    shape: tuple[int, ...]
    dtype: str
    shard: tuple[int, ...]

    @property
    def bytes(self) -> int:
        import numpy as np  # noqa: PLC0415

        return np.dtype(self.dtype).itemsize * math.prod(self.shape)

    @property
    def shard_bytes(self) -> int:
        """What one shard takes in memory."""
        import numpy as np  # noqa: PLC0415

        return np.dtype(self.dtype).itemsize * math.prod(self.shard)


class Embedding:
    """One embedding, opened for reading.

    Attributes:
        path: Its folder.
        attributes: What was written with it.
        splits: Name to (rows, values a row) of the splits that it has.

    Raises:
        EmbeddingError: It is missing, or is not an embedding.
        DiskError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path, "open an embedding"):
            if not (path / "zarr.json").is_file():
                raise EmbeddingError(f"there is no embedding at {path}; embed the trial again")
            attributes = _metadata(path).get("attributes", {})
            if not isinstance(attributes, dict):
                raise EmbeddingError(f"{path / 'zarr.json'} has no attributes; embed the trial again")
            self.attributes: dict[str, Any] = {name: attributes[name] for name in attributes if name != CHECKSUM}
            self._arrays = {
                name: {part: _array(path / name / part) for part in PARTS} for name in SPLITS if (path / name).is_dir()
            }
        for name, parts in self._arrays.items():
            if len({array.shape[0] for array in parts.values()}) != 1:
                raise EmbeddingError(f"{path / name} has differing numbers of rows; embed the trial again")
        self.splits = {name: (parts["x"].shape[0], parts["x"].shape[1]) for name, parts in self._arrays.items()}

    def bytes(self, split: str) -> int:
        """Bytes of memory that `read` needs for this split. Raises EmbeddingError."""
        return sum(array.bytes for array in self._parts(split).values())

    def read(self, split: str, *, max_bytes: int | None = None) -> Split:
        """Load a split into memory.

        Args:
            split: One of `splits`.
            max_bytes: Refuse, before anything is allocated, what would take more memory.

        Raises:
            EmbeddingError: No such split, too large, a missing shard, or a wrong checksum.
            DiskError: It cannot be read.
        """
        needed = self.bytes(split)
        if max_bytes is not None and needed > max_bytes:
            raise EmbeddingError(f"{self.path / split} takes {needed:,} bytes of memory, allowed are {max_bytes:,}")
        return Split(*(self._load(split, part) for part in PARTS))

    def labels(self, split: str) -> "tuple[NDArray[Any], NDArray[Any]]":
        """A split's y and index. Errors as for `read`."""
        return self._load(split, "y"), self._load(split, "index")

    def rows(self, split: str, start: int, stop: int) -> "NDArray[Any]":
        """Rows of x from `start` to `stop`; quick where both are multiples of 64. Errors as for `read`."""
        array = self._parts(split)["x"]
        _require_shards(self.path / split / "x", array, start, min(stop, array.shape[0]))
        return self._range(split, "x", start, stop)

    def shards(self, split: str) -> "Iterator[Split]":
        """A split, as many rows at a time as a shard has. Errors as for `read`."""
        y, index = self.labels(split)
        for start, x in self._shards(split, "x"):
            rows = slice(start, start + len(x))
            yield Split(x, y[rows], index[rows])

    def check(self) -> Iterator[str]:
        """Read everything, a shard at a time, and yield a sentence for each part that is not good."""
        with disk_errors(self.path, "read an embedding"):
            if not is_as_written(self.path):
                yield f"{self.path}: what it says of itself is not what was written with it; embed the trial again"
        for split, parts in self._arrays.items():
            for part in parts:
                try:
                    for _ in self._shards(split, part):
                        pass
                except StoreError as error:
                    yield str(error)

    def _parts(self, split: str) -> dict[str, _Array]:
        if split not in self._arrays:
            raise EmbeddingError(f"{self.path} has no split {split!r}; it has {', '.join(self._arrays) or 'none'}")
        return self._arrays[split]

    def _load(self, split: str, part: str) -> "NDArray[Any]":
        import numpy as np  # noqa: PLC0415

        array = self._parts(split)[part]
        _require_shards(self.path / split / part, array, 0, array.shape[0])
        values = np.empty(array.shape, array.dtype)
        for start, shard in self._shards(split, part):
            values[start : start + len(shard)] = shard
        return values

    def _shards(self, split: str, part: str) -> Iterator[tuple[int, "NDArray[Any]"]]:
        array = self._parts(split)[part]
        _require_shards(self.path / split / part, array, 0, array.shape[0])
        for start in range(0, array.shape[0], array.shard[0]):
            yield start, self._range(split, part, start, start + array.shard[0])

    def _range(self, split: str, part: str, start: int, stop: int) -> "NDArray[Any]":
        import zarr  # noqa: PLC0415

        folder = self.path / split / part
        with disk_errors(folder, "read an embedding"):
            try:
                source: Any = zarr.open_array(folder, mode="r")
                rows: NDArray[Any] = source[start:stop]
            except OSError:
                raise
            except Exception as error:  # zarr and its codecs raise whatever the broken bytes lead them to
                last = min(stop, self._parts(split)[part].shape[0]) - 1
                raise EmbeddingError(
                    f"{folder} is damaged at rows {start} to {last} ({error}); embed the trial again"
                ) from error
        return rows


def _metadata(folder: Path) -> dict[str, Any]:
    file = folder / "zarr.json"
    if file.stat().st_size > _MAX_METADATA:
        raise EmbeddingError(f"{file} has more than {_MAX_METADATA:,} bytes; it was not written by nasd")
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise EmbeddingError(f"{file} is not JSON ({error}); embed the trial again") from error
    if not isinstance(found, dict) or found.get("zarr_format") != 3:
        raise EmbeddingError(f"{file} does not describe a zarr v3 array; embed the trial again")
    return found


def _array(folder: Path) -> _Array:
    """Read an array's description without zarr: nothing in it can ask for another codec or an object dtype."""
    described = _metadata(folder)
    try:
        shape = tuple(int(length) for length in described["shape"])
        shard = tuple(int(length) for length in described["chunk_grid"]["configuration"]["chunk_shape"])
        dtype, codecs = described["data_type"], set(_codec_names(described["codecs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddingError(f"{folder / 'zarr.json'} lacks a part ({error}); embed the trial again") from error
    known = dtype in DTYPES and codecs <= _CODECS
    whole_rows = bool(shape) and min(shape) >= 0 and shard[1:] == tuple(max(length, 1) for length in shape[1:])
    if not known or not whole_rows or len(shape) != len(shard) or shard[0] < 1:
        raise EmbeddingError(
            f"{folder} has shape {shape}, shards of {shard}, dtype {dtype} and codecs {', '.join(sorted(codecs))}, "
            "which nasd does not write"
        )
    made = _Array(shape, dtype, shard)
    if made.shard_bytes > _MAX_SHARD:  # a few bytes of zstd may unpack to any number of zeros
        raise EmbeddingError(f"{folder} has shards of {made.shard_bytes:,} bytes, which nasd does not write")
    return made


def _codec_names(codecs: list[dict[str, Any]]) -> Iterator[str]:
    for codec in codecs:
        yield str(codec["name"])
        inner = codec.get("configuration", {})
        yield from _codec_names(inner.get("codecs", []))
        yield from _codec_names(inner.get("index_codecs", []))


def _require_shards(folder: Path, array: _Array, start: int, stop: int) -> None:
    # zarr reads a missing or empty file as zeros, without a word.
    rest = "/".join("0" for _ in array.shape[1:])
    for number in range(start // array.shard[0], -(-stop // array.shard[0])):
        file = folder / "c" / str(number) / rest
        if not file.is_file():
            raise EmbeddingError(f"{file} is missing; embed the trial again")
        if not file.stat().st_size:
            raise EmbeddingError(f"{file} is empty; embed the trial again")
