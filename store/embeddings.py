"""Embedding arrays of a run (zarr v3): one folder a trial, whole or not there, checked when read.

A folder holds `train|val|test/{x,y,index}`: rows sorted by class, so that a continual-learning task is one range, and
`index`, the place of each row in its data set. Rows are written in shards of about 64 MB and read shard by shard into
memory; random rows straight from the files are slow.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store import files
from store.errors import EmbeddingError, StoreError, disk_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
SHARD_BYTES = 64 << 20
CHUNK_ROWS = 64  # measured: 512 reads random rows half as fast, and packs no better
_PARTS = ("x", "y", "index")
_DTYPES = ("float16", "float32", "float64", "int16", "int32", "int64", "uint8", "bool")
_CODECS = {"sharding_indexed", "bytes", "zstd", "crc32c"}
_MAX_METADATA = 8 << 20  # bytes of one zarr.json


@dataclass(frozen=True, slots=True)
class Split:
    """One split of an embedded data set."""

    x: "NDArray[Any]"  # rows by values
    y: "NDArray[Any]"  # a class a row, or for multi-label data a row of zeros and ones
    index: "NDArray[Any]"  # the row's place in its data set


@dataclass(frozen=True, slots=True)
class _Array:
    """What a `zarr.json` says, once it was found to be one of ours."""

    shape: tuple[int, ...]
    dtype: str
    shard: tuple[int, ...]

    @property
    def shards(self) -> int:
        return -(-self.shape[0] // self.shard[0])

    @property
    def bytes(self) -> int:
        import numpy as np  # noqa: PLC0415

        size = np.dtype(self.dtype).itemsize
        for length in self.shape:
            size *= length
        return size


# --- writing --------------------------------------------------------------------------------------------------------


def stage(directory: Path, splits: Mapping[str, Split], attributes: Mapping[str, Any]) -> Path:
    """Write an embedding under a temporary name, synced; `Embeddings.adopt` gives it its name.

    Needs no run and no lock, so that a worker process can write what the daemon then adopts.

    Args:
        directory: The run's `embeddings` folder, or another on the same file system.
        splits: Any of `SPLITS`; `x` of two dimensions, equally many rows in `x`, `y` and `index`.
        attributes: JSON-able: architecture, seed, data set and transforms, statistics mode, dtype, nasd version.

    Raises:
        ValueError: A split has another name, shape or dtype, or the attributes are not JSON.
        DiskFullError: No space; nothing is left behind.
        DiskError: The disk refused; nothing is left behind.
    """
    import zarr  # noqa: PLC0415

    _check_splits(splits)
    json.dumps(attributes, allow_nan=False)
    temporary = files.temporary_beside(directory / "any")
    try:
        with disk_errors(directory, "write an embedding"):
            group = zarr.create_group(temporary, attributes=dict(attributes))
            for name, split in splits.items():
                order = _by_class(split.y)
                for part in _PARTS:
                    _write(group, f"{name}/{part}", getattr(split, part), order)
            files.sync_tree(temporary)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(temporary)
        raise
    return temporary


def _check_splits(splits: Mapping[str, Split]) -> None:
    for name, split in splits.items():
        if name not in SPLITS:
            raise ValueError(f"there is no split {name!r}; choose from {', '.join(SPLITS)}")
        for part, dimensions in (("x", (2,)), ("y", (1, 2)), ("index", (1,))):
            array = getattr(split, part)
            if array.ndim not in dimensions or array.dtype.name not in _DTYPES:
                raise ValueError(f"{name}/{part} has shape {array.shape} and dtype {array.dtype}")
        if not len(split.x) == len(split.y) == len(split.index):
            raise ValueError(f"{name} has {len(split.x)} rows in x, {len(split.y)} in y, {len(split.index)} in index")


def _by_class(labels: "NDArray[Any]") -> "NDArray[np.intp]":
    import numpy as np  # noqa: PLC0415

    # Stable: rows of a class keep the order of the data set. lexsort takes the most significant key last.
    return np.argsort(labels, kind="stable") if labels.ndim == 1 else np.lexsort(labels.T[::-1])


def _write(group: Any, name: str, values: "NDArray[Any]", order: "NDArray[np.intp]") -> None:
    from zarr.codecs import ZstdCodec  # noqa: PLC0415

    row_bytes = max(values[:1].nbytes, 1)
    rows = max(min(SHARD_BYTES // row_bytes, len(values)) // CHUNK_ROWS, 1) * CHUNK_ROWS
    if rows < len(values) <= rows + CHUNK_ROWS:
        rows += CHUNK_ROWS  # no shard for a few last rows
    rest = tuple(max(length, 1) for length in values.shape[1:])
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        shards=(rows, *rest),
        chunks=(CHUNK_ROWS, *rest),
        compressors=ZstdCodec(level=1, checksum=True),  # without the checksum flipped bits go unnoticed
        config={"write_empty_chunks": True},  # so that a chunk of zeros is told from a missing one
    )
    for start in range(0, len(values), rows):
        array[start : start + rows] = values[order[start : start + rows]]


# --- reading --------------------------------------------------------------------------------------------------------


class Embedding:
    """One trial's embedding, opened for reading.

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
            self.attributes: dict[str, Any] = _metadata(path).get("attributes", {})
            self._arrays = {
                name: {part: _array(path / name / part) for part in _PARTS} for name in SPLITS if (path / name).is_dir()
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
        return Split(*(self._load(split, part) for part in _PARTS))

    def check(self) -> Iterator[str]:
        """Read everything, a shard at a time, and yield a sentence for each array that is not good."""
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
        _require_shards(self.path / split / part, array)  # before memory is taken for what is not there
        values = np.empty(array.shape, array.dtype)
        for start, shard in self._shards(split, part):
            values[start : start + len(shard)] = shard
        return values

    def _shards(self, split: str, part: str) -> Iterator[tuple[int, "NDArray[Any]"]]:
        import zarr  # noqa: PLC0415

        array, folder = self._parts(split)[part], self.path / split / part
        _require_shards(folder, array)
        with disk_errors(folder, "read an embedding"):
            source: Any = zarr.open_array(folder, mode="r")
            for start in range(0, array.shape[0], array.shard[0]):
                try:
                    shard = source[start : start + array.shard[0]]
                except OSError:
                    raise
                except Exception as error:  # zarr and its codecs raise whatever the broken bytes lead them to
                    raise EmbeddingError(
                        f"{folder} is damaged at rows {start} to {start + array.shard[0] - 1} ({error}); "
                        "embed the trial again"
                    ) from error
                yield start, shard


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
    known = dtype in _DTYPES and codecs <= _CODECS
    whole_rows = bool(shape) and min(shape) >= 0 and shard[1:] == tuple(max(length, 1) for length in shape[1:])
    if not known or not whole_rows or len(shape) != len(shard) or shard[0] < 1:
        raise EmbeddingError(
            f"{folder} has shape {shape}, shards of {shard}, dtype {dtype} and codecs {', '.join(sorted(codecs))}, "
            "which nasd does not write"
        )
    return _Array(shape, dtype, shard)


def _codec_names(codecs: list[dict[str, Any]]) -> Iterator[str]:
    for codec in codecs:
        yield str(codec["name"])
        inner = codec.get("configuration", {})
        yield from _codec_names(inner.get("codecs", []))
        yield from _codec_names(inner.get("index_codecs", []))


def _require_shards(folder: Path, array: _Array) -> None:
    # zarr reads a missing file as zeros, without a word.
    rest = "/".join("0" for _ in array.shape[1:])
    for number in range(array.shards):
        file = folder / "c" / str(number) / rest
        if not file.is_file():
            raise EmbeddingError(f"{file} is missing; embed the trial again")


# --- the folder of a run --------------------------------------------------------------------------------------------


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
        if not name or name.startswith(".") or Path(name).name != name:
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
